// What is remembered until the tab is closed, where the browser lets a page remember anything.

export function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name, text) {
  try {
    sessionStorage.setItem(name, text);
  } catch {
    // The page does without.
  }
}
