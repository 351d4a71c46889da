//! Failures in few words: constructors, and [`OrFail`], which makes one of any
//! error or missing value.

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

use crate::{Failure, RetryLater};

impl Failure {
    /// Try again by the plugin's retry policy: it may work later.
    ///
    /// The reason is for the operator to read, and is kept: no secrets, no
    /// stream keys. The host cuts it after 4 KiB.
    ///
    /// ```
    /// # use hookbox_sdk::Failure;
    /// let number = "12a".parse::<u32>().map_err(Failure::retry);
    /// assert_eq!(number, Err(Failure::Retry("invalid digit found in string".into())));
    /// ```
    pub fn retry(reason: impl Display) -> Self {
        Self::Retry(reason.to_string())
    }

    /// Try again, not before `wait` has passed. The host takes more than
    /// 7 days as 7 days. See [`Failure::retry`] for the reason.
    ///
    /// ```
    /// # use hookbox_sdk::Failure;
    /// # use std::time::Duration;
    /// let later = Failure::retry_after(Duration::from_secs(90), "the service is being moved");
    /// assert!(matches!(later, Failure::RetryAfter(later) if later.after_ms == 90_000));
    /// ```
    pub fn retry_after(wait: Duration, reason: impl Display) -> Self {
        let after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self::RetryAfter(RetryLater { reason: reason.to_string(), after_ms })
    }

    /// Never try again: this event is of no use to this plugin, however often
    /// it is called. See [`Failure::retry`] for the reason.
    ///
    /// ```
    /// # use hookbox_sdk::Failure;
    /// assert_eq!(Failure::reject("no video"), Failure::Reject("no video".into()));
    /// ```
    pub fn reject(reason: impl Display) -> Self {
        Self::Reject(reason.to_string())
    }

    /// Why it failed, whatever follows from that.
    ///
    /// ```
    /// # use hookbox_sdk::Failure;
    /// assert_eq!(Failure::reject("no video").reason(), "no video");
    /// ```
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry(reason) | Self::Reject(reason) => reason,
            Self::RetryAfter(later) => &later.reason,
        }
    }
}

/// Takes the value, or fails the call: for [`Result`] with any error (one of
/// `std`, of a library, `anyhow`'s, a text) and for [`Option`].
///
/// Which of the three is the author's decision, so there is no conversion of
/// every error by `?` alone; only the SDK's own errors know what they mean.
/// What was being done is asked for, since an error alone tells an operator
/// little. The reason is that text, and after it the error with all that caused
/// it.
///
/// ```
/// use hookbox_sdk::{Failure, OrFail};
/// # use hookbox_sdk::testing::sample;
///
/// fn file(name: &str) -> Result<u32, Failure> {
///     let (number, _) = name.split_once('.').or_reject("the file's name has no ending")?;
///     number.parse().or_retry("the number before the ending")
/// }
///
/// assert_eq!(file("12.mp4"), Ok(12));
/// assert_eq!(file("12"), Err(Failure::reject("the file's name has no ending")));
/// let reason = "the number before the ending: invalid digit found in string";
/// assert_eq!(file("a.mp4"), Err(Failure::retry(reason)));
/// ```
pub trait OrFail<T>: Sized {
    /// The value, or the failure that `verdict` makes of the reason.
    ///
    /// # Errors
    /// That failure, where there is no value.
    fn or_fail(self, what: impl Display, verdict: impl FnOnce(String) -> Failure) -> OrFailed<T>;

    /// The value, or [`Failure::Retry`]: it may work later.
    ///
    /// # Errors
    /// That failure, where there is no value.
    fn or_retry(self, what: impl Display) -> OrFailed<T> {
        self.or_fail(what, Failure::Retry)
    }

    /// The value, or [`Failure::RetryAfter`]: it may work after `wait`.
    ///
    /// # Errors
    /// That failure, where there is no value.
    fn or_retry_after(self, wait: Duration, what: impl Display) -> OrFailed<T> {
        self.or_fail(what, |reason| Failure::retry_after(wait, reason))
    }

    /// The value, or [`Failure::Reject`]: it will never work with this event.
    ///
    /// # Errors
    /// That failure, where there is no value.
    fn or_reject(self, what: impl Display) -> OrFailed<T> {
        self.or_fail(what, Failure::Reject)
    }
}

/// What [`OrFail`] gives.
type OrFailed<T> = Result<T, Failure>;

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, what: impl Display, verdict: impl FnOnce(String) -> Failure) -> OrFailed<T> {
        self.ok_or_else(|| verdict(what.to_string()))
    }
}

impl<T, E: Into<Box<dyn Error>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, what: impl Display, verdict: impl FnOnce(String) -> Failure) -> OrFailed<T> {
        self.map_err(|error| verdict(format!("{what}: {}", chain(&*error.into()))))
    }
}

/// An error and what caused it, each once: some errors say their cause
/// themselves.
fn chain(error: &(dyn Error + 'static)) -> String {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.reason().to_owned();
    }
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.ends_with(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it cannot be counted")]
    struct Uncounted(#[source] std::num::ParseIntError);

    #[derive(Debug, thiserror::Error)]
    #[error("it cannot be summed: {0}")]
    struct Unsummed(#[source] Uncounted);

    fn uncounted() -> Result<u8, Uncounted> {
        "x".parse().map_err(Uncounted)
    }

    #[test]
    fn a_value_passes_and_the_text_is_not_made() {
        struct Unspoken;
        impl Display for Unspoken {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("there was no failure")
            }
        }
        assert_eq!(Some(1).or_reject(Unspoken), Ok(1));
        assert_eq!("2".parse::<u8>().or_retry(Unspoken), Ok(2));
    }

    #[test]
    fn the_reason_has_each_cause_once() {
        let failed = uncounted().or_retry("the views");
        let reason = "the views: it cannot be counted: invalid digit found in string";
        assert_eq!(failed, Err(Failure::retry(reason)));
        let failed = uncounted().map_err(Unsummed).or_reject("all");
        let reason =
            "all: it cannot be summed: it cannot be counted: invalid digit found in string";
        assert_eq!(failed, Err(Failure::reject(reason)));
    }

    #[test]
    fn any_kind_of_error_will_do() {
        let boxed: Result<(), Box<dyn Error>> = Err("boxed".into());
        for (failed, reason) in [
            (boxed.or_retry("a"), "a: boxed"),
            (Err::<(), _>("text").or_retry("a"), "a: text"),
            (Err::<(), _>(String::from("owned")).or_retry("a"), "a: owned"),
            (None.or_retry(format_args!("{}", "nothing")), "nothing"),
        ] {
            assert_eq!(failed, Err(Failure::retry(reason)));
        }
    }

    #[test]
    fn the_last_word_on_a_failure_is_the_plugins() {
        let refused = Err::<(), _>(Failure::reject("404"));
        assert_eq!(refused.clone().or_retry("the upload"), Err(Failure::retry("the upload: 404")));
        let wait = Duration::from_millis(1_500);
        let later = refused.or_retry_after(wait, "the upload").expect_err("it failed");
        assert_eq!(later, Failure::retry_after(wait, "the upload: 404"));
        assert_eq!(later.reason(), "the upload: 404");
    }

    #[test]
    fn a_wait_beyond_counting_is_as_long_as_can_be() {
        let Failure::RetryAfter(later) = Failure::retry_after(Duration::MAX, "") else {
            panic!("as asked");
        };
        assert_eq!(later.after_ms, u64::MAX);
    }
}
