//! The numbers by which the server knows runners, groups and installations.

use std::num::NonZeroU64;

use serde::{Deserialize, Deserializer};

/// Reads an id, which is never 0: for `#[serde(deserialize_with)]`, wherever one comes from somebody else.
///
/// # Errors
///
/// It is no number, negative, or 0, which stands for "none" in many programs and would name nobody.
pub fn id<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    NonZeroU64::deserialize(from).map(NonZeroU64::get)
}

#[cfg(test)]
mod tests {
    use super::id;

    #[test]
    fn an_id_is_a_positive_number() {
        let read = |text: &str| id(&mut serde_json::Deserializer::from_str(text)).ok();
        assert_eq!([read("1"), read("18446744073709551615")], [Some(1), Some(u64::MAX)]);
        assert_eq!(["0", "-1", "1.5", "null", "\"1\""].map(read), [None; 5]);
    }
}
