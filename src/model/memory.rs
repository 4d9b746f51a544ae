//! How much memory something may take: a number of bytes, or a share of what the host has.

use serde::{Deserialize, Deserializer};

/// Below this not even an empty checkout has room.
const LEAST: u64 = 1 << 20;

/// An amount of memory, as systemd writes it: `8G`, `512M`, a number of bytes, or `25%` of the host's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MemorySize {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths.
    Percent(u8),
}

impl MemorySize {
    /// Reads an amount.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no amount of memory: write it like 8G, 512M or 25%");
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = digits.parse().map_err(|_| fault())?;
        let shift = match unit {
            "%" => {
                let percent = u8::try_from(number).ok().filter(|percent| (1..=100).contains(percent));
                return percent.map(Self::Percent).ok_or_else(fault);
            }
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(fault()),
        };
        let bytes = number.checked_mul(1 << shift).ok_or_else(fault)?;
        if bytes < LEAST { Err(format!("{text:?} is less than 1M")) } else { Ok(Self::Bytes(bytes)) }
    }

    /// The number of bytes on a host with so much memory.
    #[must_use]
    pub fn of(self, memory: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (memory / 100 * u64::from(percent)).max(LEAST),
        }
    }
}

impl<'de> Deserialize<'de> for MemorySize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_systemd_writes_them() {
        for (text, bytes) in [
            ("1048576", 1 << 20),
            ("2048K", 2 << 20),
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("1T", 1 << 40),
            ("25%", 25 << 30),
            ("100%", 100 << 30),
        ] {
            assert_eq!(MemorySize::parse(text).unwrap().of(100 << 30), bytes, "{text}");
        }
        for text in
            ["", "0", "1000", "0%", "101%", "8g", "8 G", "G", "-1G", "1.5G", "99999999999T", "18446744073709551616"]
        {
            assert!(MemorySize::parse(text).is_err(), "{text}");
        }
    }
}
