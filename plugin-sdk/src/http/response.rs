//! An answer, and what becomes of the call by it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::Failure;

/// Characters of an answer's body that a failure shows.
const SHOWN_CHARS_MAX: usize = 200;

/// An answer that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// The header fields in the order they came in, names in lower case.
    /// Values need not be UTF-8.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// `https://example.com`, for messages.
    pub(crate) origin: String,
}

impl Response {
    /// The first value of a header field, where there is one that is UTF-8.
    /// Upper and lower case of the name do not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        named.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body read as JSON, whatever the status: [`Response::success`]
    /// belongs before it. Feature `json`. See
    /// [`Request::json`](super::Request::json) for an example.
    ///
    /// # Errors
    /// [`Failure::Retry`] where it is not the JSON that was expected: the other
    /// side can mend it. A `content-type` that says otherwise is no error.
    #[cfg(feature = "json")]
    pub fn json<'answer, T: serde::Deserialize<'answer>>(&'answer self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (origin, why) = (&self.origin, crate::json::told(&error));
            Failure::retry(format_args!("{origin} answered {}: {why}", self.status))
        })
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the service asks to wait: the field `Retry-After` (RFC 9110,
    /// section 10.2.3), a number of seconds or a date. A date that has passed is
    /// zero. `None` where the field is missing or neither of the two.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_from(SystemTime::now())
    }

    fn retry_after_from(&self, now: SystemTime) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // Too long for the type: as long as can be.
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or(Duration::ZERO))
    }

    /// The answer where it is a success, else what most services mean by its
    /// status:
    ///
    /// | status | failure |
    /// |---|---|
    /// | 408, 425, 429 and 500 to 599, with `Retry-After` | [`Failure::RetryAfter`] |
    /// | the same without | [`Failure::Retry`] |
    /// | 100 to 399: redirects, which are not followed | [`Failure::Retry`], since the operator can mend the address |
    /// | other 400 to 499 | [`Failure::Reject`] |
    ///
    /// Match on `status` first where a service means something else.
    ///
    /// # Errors
    /// By the table. The reason has the status and the beginning of the body.
    pub fn success(self) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        let reason = self.reason();
        Err(match (self.status, self.retry_after()) {
            (408 | 425 | 429 | 500.., Some(wait)) => Failure::retry_after(wait, reason),
            (408 | 425 | 429 | 500.., None) | (..400, _) => Failure::Retry(reason),
            _ => Failure::Reject(reason),
        })
    }

    /// Status and beginning of the body, for an operator to read.
    fn reason(&self) -> String {
        let text = self.text();
        let shown: String = text.trim().chars().take(SHOWN_CHARS_MAX).collect();
        let (origin, status) = (&self.origin, self.status);
        let note = if (300..400).contains(&status) { " (redirects are not followed)" } else { "" };
        if shown.is_empty() {
            format!("{origin} answered {status}{note}")
        } else {
            format!("{origin} answered {status}{note}: {}", shown.escape_debug())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetryLater;

    fn answer(status: u16, retry_after: Option<&str>) -> Response {
        let field = |value: &str| ("retry-after".to_owned(), value.as_bytes().to_vec());
        Response {
            status,
            headers: retry_after.map(field).into_iter().collect(),
            body: b"sorry\n".to_vec(),
            origin: "https://a.example".to_owned(),
        }
    }

    /// 1994-11-06T08:49:00Z, 37 seconds before the date that RFC 9110 uses.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_in_any_of_the_three_forms() {
        for (value, seconds) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
            ("Sun Nov  6 08:49:37 1994", 37),
            ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
        ] {
            let wait = answer(429, Some(value)).retry_after_from(now());
            assert_eq!(wait, Some(Duration::from_secs(seconds)), "{value}");
        }
        for value in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(answer(429, Some(value)).retry_after_from(now()), None, "{value}");
        }
        assert_eq!(answer(429, None).retry_after(), None);
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        let failure = |status, wait| answer(status, wait).success().map(|answer| answer.status);
        for status in [200, 204, 299] {
            assert_eq!(failure(status, None), Ok(status));
        }
        for status in [100, 301, 304, 408, 425, 429, 500, 503, 599] {
            assert!(matches!(failure(status, None), Err(Failure::Retry(_))), "{status}");
        }
        for status in [400, 401, 404, 410, 422, 499] {
            assert!(matches!(failure(status, Some("3")), Err(Failure::Reject(_))), "{status}");
        }
        for status in [429, 503] {
            let later = RetryLater {
                reason: format!("https://a.example answered {status}: sorry"),
                after_ms: 3_000,
            };
            assert_eq!(failure(status, Some("3")), Err(Failure::RetryAfter(later)));
        }
    }

    #[cfg(feature = "json")]
    #[test]
    fn an_answer_that_is_not_what_was_expected_is_tried_again_and_not_shown() {
        let answer = |body: &str| Response { body: body.into(), ..answer(200, None) };
        assert_eq!(answer("[1,2]").json(), Ok(vec![1, 2]));
        assert_eq!(answer(r#""text""#).json(), Ok("text"), "borrowed");
        for body in [r#""hush""#, "<p>hush</p>", ""] {
            let Err(Failure::Retry(reason)) = answer(body).json::<u8>() else { panic!("{body}") };
            assert!(reason.starts_with("https://a.example answered 200: "), "{reason}");
            assert!(!reason.contains("hush"), "{reason}");
        }
    }

    #[test]
    fn a_field_is_found_whatever_its_case() {
        let answer = answer(200, Some("5"));
        assert_eq!(answer.header("Retry-After"), Some("5"));
        assert_eq!(answer.header("retry"), None);
    }
}
