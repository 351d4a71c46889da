//! Signatures by [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
//! symmetric: HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The key of a secret such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`: what
/// stands after the prefix, in base64.
///
/// # Errors
/// What is wrong, without the secret.
pub(crate) fn key(secret: &str) -> Result<Hmac<Sha256>, &'static str> {
    let encoded = secret.trim().strip_prefix("whsec_").ok_or("it does not begin with whsec_")?;
    let key = STANDARD.decode(encoded).map_err(|_| "what follows whsec_ is not base64")?;
    if key.is_empty() {
        return Err("nothing follows whsec_");
    }
    Hmac::new_from_slice(&key).map_err(|_| "its length does not fit")
}

/// The value of the field `webhook-signature`. `time` is that of
/// `webhook-timestamp`, in seconds since the Unix epoch.
pub(crate) fn sign(key: &Hmac<Sha256>, id: &str, time: u64, body: &str) -> String {
    let mac = key.clone().chain_update(format!("{id}.{time}.{body}"));
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the reference libraries test themselves with.
    #[test]
    fn the_known_message_has_the_known_signature() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = sign(&key, id, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = sign(&key, id, 1_614_265_330, r#"{"test": 2432232315}"#);
        assert_ne!(other, signature);
    }

    #[test]
    fn what_is_no_secret_of_the_standard_is_refused() {
        for secret in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_a", "whsec_*"] {
            assert!(key(secret).is_err(), "{secret}");
        }
        assert!(key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").is_ok(), "from a file");
    }
}
