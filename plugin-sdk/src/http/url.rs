//! An address, in the parts that the host takes it in.

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it is `https`, not `http`.
    pub(crate) tls: bool,
    /// Host, and port where it is given.
    pub(crate) authority: String,
    /// Begins with `/`; without the fragment, which is never sent.
    pub(crate) path_with_query: String,
}

impl Target {
    /// # Errors
    /// What is wrong with it, without saying what it is.
    pub(crate) fn of(url: &str) -> Result<Self, &'static str> {
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has white space, or characters that have to be percent-encoded");
        }
        let (scheme, rest) = url.split_once("://").ok_or("it does not begin with https://")?;
        let tls = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err("its scheme is neither https nor http"),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.is_empty() || authority.starts_with(':') {
            return Err("it names no host");
        }
        if authority.contains('@') {
            return Err("it has credentials before the host, which belong into a header field");
        }
        let (path, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { tls, authority: authority.to_owned(), path_with_query: format!("{slash}{path}") })
    }

    /// As in a grant: `https://example.com`, with the port where it is given.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_three_parts() {
        let parts = |url: &str| {
            let target = Target::of(url).expect(url);
            (target.origin(), target.path_with_query)
        };
        for (url, origin, path) in [
            ("https://a.example", "https://a.example", "/"),
            ("HTTP://a.example:8080/b/c?d=/e#f", "http://a.example:8080", "/b/c?d=/e"),
            ("https://a.example?d", "https://a.example", "/?d"),
            ("https://a.example#f", "https://a.example", "/"),
            ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443", "/"),
        ] {
            assert_eq!(parts(url), (origin.to_owned(), path.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_of_http_is_refused() {
        for url in [
            "",
            "a.example/b",
            "/b",
            "ftp://a.example/",
            "https://",
            "https:///b",
            "https://:80/",
            "https://user:hush@a.example/",
            "https://a.example/ b",
            "https://a.example/\r\nx: y",
            "https://a.example/ü",
        ] {
            let why = Target::of(url).expect_err(url);
            assert!(!why.contains("hush"), "{why}");
        }
    }
}
