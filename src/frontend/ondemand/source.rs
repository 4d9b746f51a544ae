//! Where a request comes from, as far as it says who asks. Pure.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An IPv4 address, or the first 64 bits of an IPv6 address, of which each customer of a provider has as many as they like.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Source(IpAddr);

impl Source {
    /// The source that an address belongs to; one of IPv4 that is written as one of IPv6 is the same.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_one_customer_are_one_source() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(serde_json::to_string(&source("2001:db8::1")).unwrap(), r#""2001:db8::""#);
        assert!(serde_json::from_str::<Source>(r#""unix:""#).is_err());
    }
}
