"""Xively's user documents ↔ the tank's accounts."""

from msgspec import UNSET

from thingtank.protocols.xively.user_documents import UserBody, UserDocument
from thingtank.tank.accounts import Profile, ProfileChange


def profile_change(document: UserDocument) -> ProfileChange:
    """What a document changes of an account."""
    return ProfileChange(
        **{name: getattr(document, name, UNSET) for name in ProfileChange.__struct_fields__}
    )


def user_body(profile: Profile) -> UserBody:
    """An account."""
    return UserBody(
        login=profile.account.login,
        email=profile.email,
        full_name=profile.full_name,
        first_name=profile.first_name,
        last_name=profile.last_name,
        about=profile.about,
        website=profile.website,
        organisation=profile.organisation,
        time_zone=profile.time_zone,
        roles=("admin", "user") if profile.account.is_admin else ("user",),
    )
