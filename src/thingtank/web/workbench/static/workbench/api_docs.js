// Swagger UI on the OpenAPI document of this instance; requests go to this origin only.
const place = document.getElementById("api-docs");
const theme = window.thingTankTheme;

const dress = () => document.documentElement.classList.toggle("dark-mode", theme.isDark());
dress();
document.addEventListener("themechange", dress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);

window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  onComplete() {
    place.querySelector(".operation-filter-input").setAttribute("aria-label", "Filter by tag");
  },
  validatorUrl: null,
  tryItOutEnabled: false,
  requestInterceptor(request) {
    const isHere = new URL(request.url, location.href).origin === location.origin;
    if (isHere && place.dataset.csrf) request.headers["X-CSRFToken"] = place.dataset.csrf;
    return request;
  },
});
