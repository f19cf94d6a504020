"""Which page of the accounts answers which path."""

from django.urls import path

from thingtank.web.accounts import views

app_name = "accounts"

urlpatterns = [
    path("sign-in", views.SignIn.as_view(), name="sign_in"),
    path("sign-out", views.SignOut.as_view(), name="sign_out"),
    path("account/password", views.ChangePassword.as_view(), name="password"),
    path("welcome/<str:token>", views.welcome, name="welcome"),
]
