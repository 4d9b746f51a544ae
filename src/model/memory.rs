//! How much memory something may take: a number of bytes, or a share of what the host has.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Below this not even an empty checkout has room.
const LEAST: u64 = 1 << 20;

/// The units, and by how many bits each shifts a number.
const UNITS: [(&str, u32); 5] = [("", 0), ("K", 10), ("M", 20), ("G", 30), ("T", 40)];

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
        if unit == "%" {
            let percent = u8::try_from(number).ok().filter(|percent| (1..=100).contains(percent));
            return percent.map(Self::Percent).ok_or_else(fault);
        }
        let (_, shift) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
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

impl fmt::Display for MemorySize {
    /// As it is read, in the largest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => {
                let whole = |(_, shift): &(&str, u32)| bytes.trailing_zeros() >= *shift;
                let (unit, shift) = UNITS.into_iter().rev().find(whole).unwrap_or_default();
                write!(f, "{}{unit}", bytes >> shift)
            }
        }
    }
}

impl Serialize for MemorySize {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
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
            let size = MemorySize::parse(text).unwrap();
            assert_eq!(size.of(100 << 30), bytes, "{text}");
            assert_eq!(MemorySize::parse(&size.to_string()).unwrap(), size, "{text}");
        }
        for (text, written) in [("1048576", "1M"), ("1048577", "1048577"), ("1536M", "1536M"), ("25%", "25%")] {
            assert_eq!(MemorySize::parse(text).unwrap().to_string(), written);
        }
        for text in
            ["", "0", "1000", "0%", "101%", "8g", "8 G", "G", "-1G", "1.5G", "99999999999T", "18446744073709551616"]
        {
            assert!(MemorySize::parse(text).is_err(), "{text}");
        }
    }
}
