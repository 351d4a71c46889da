//! What the description of the API says beside its routes.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, Content, Info, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::admin::problem::{MEDIA_TYPE, Problem};

const TEXT: &str = "What operators see and change of a running server.\n\n\
    Times are milliseconds since the Unix epoch unless they say otherwise. Lists \
    are pages: `next` is the `cursor` of the next one, and null on the last. A \
    page can have fewer items than asked for, or none, and still not be the last. \
    Refusals are problem documents (RFC 9457) with a stable `code`.";

/// Where the routes are put in.
pub(super) fn beginning() -> OpenApi {
    let mut info = Info::new("hookbox", env!("CARGO_PKG_VERSION"));
    info.description = Some(TEXT.to_owned());
    let mut components = Components::new();
    components
        .add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKeyValue::with_description(
        "hookbox_session",
        "The cookie that `POST /login` sets. Requests that change something must come from the \
         server's own pages.",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let none: [&str; 0] = [];
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("token", none),
            SecurityRequirement::new("session", none),
        ]))
        .build()
}

/// With the refusals that every route shares.
pub(super) fn completed(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let variable = path.contains('{');
        for operation in operations(item) {
            refusals(operation, variable);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post].into_iter().flatten()
}

fn refusals(operation: &mut Operation, variable: bool) {
    let has_body = operation.request_body.is_some();
    for (status, applies, description) in [
        ("400", true, "`invalid`: a parameter or the body cannot be understood; `detail` names it"),
        ("401", true, "`unauthorized`: no token, or a wrong one"),
        ("403", true, "`forbidden`: `Host` is not this server, or `Origin` is not `Host`"),
        ("404", variable || has_body, "`not-found`: there is no such thing"),
        ("413", has_body, "`too-large`: the body is too large"),
        ("415", has_body, "`invalid`: the body is not JSON"),
        ("429", true, "`too-many`: too many wrong tokens"),
        ("503", true, "`unavailable`: it cannot be answered now"),
    ] {
        if applies {
            let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
            let refusal =
                ResponseBuilder::new().description(description).content(MEDIA_TYPE, content);
            let responses = &mut operation.responses.responses;
            responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal.build()));
        }
    }
}
