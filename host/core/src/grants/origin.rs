//! Scheme, host and port: what outgoing HTTP is granted for.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Longest text of an origin. A host name has 253 characters (RFC 1035, section
/// 2.3.4).
const TEXT_BYTES_MAX: usize = 300;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// By TLS.
    Https,
}

impl Scheme {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port, in one form for all spellings: lower case, ASCII
/// (`xn--`) names, numeric hosts as the address that they mean, the port always
/// there. Read as browsers do (WHATWG URL standard), which know that
/// `0x7f.1`, `2130706433` and `0177.0.0.1` are all 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not `http` or `https`.
    #[error("its scheme is not http or https")]
    Scheme,
    /// A name or password before the host.
    #[error("it has a user name or password before the host")]
    Userinfo,
    /// Something after the port.
    #[error("it has a path, query or fragment; give scheme, host and port only")]
    Path,
    /// A pattern.
    #[error("it has a * in it, which matches nothing: name each host")]
    Wildcard,
    /// Not to be understood otherwise.
    #[error("it is no origin such as https://example.com or http://10.0.0.5:8080")]
    Form,
}

impl Origin {
    /// From the parts of a request.
    ///
    /// `authority`: host and port as the request has them (RFC 3986, section
    /// 3.2).
    ///
    /// # Errors
    /// See [`OriginError`]. An authority that a reader could take for another
    /// host (user names, back slashes, white space) is refused.
    pub fn of_authority(scheme: Scheme, authority: &str) -> Result<Self, OriginError> {
        // None of these is in an authority that means what it looks like.
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/\\?#".contains(c);
        if authority.contains('@') {
            return Err(OriginError::Userinfo);
        }
        if authority.is_empty() || authority.contains(odd) {
            return Err(OriginError::Form);
        }
        format!("{}://{authority}", scheme.as_str()).parse()
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host, and the port unless it is the scheme's own: the value of `Host`
    /// (RFC 9110, section 7.2).
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(OriginError::Form);
        }
        let url = Url::parse(text).map_err(|_| OriginError::Form)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::Userinfo);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(OriginError::Path);
        }
        let host = url.host().ok_or(OriginError::Form)?.to_owned();
        if matches!(&host, Host::Domain(name) if name.contains('*')) {
            return Err(OriginError::Wildcard);
        }
        let port = url.port_or_known_default().ok_or(OriginError::Form)?;
        if port == 0 {
            return Err(OriginError::Form);
        }
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}
