//! What the broker of a cloud is told by the module, as JSON (version 1): where, what, and never a secret.

use std::path::Path;

use serde::Deserialize;

use crate::contract::cloud::{Image, Market, Placement};
use crate::machines::ec2::Wanted;

const VERSION: u64 = 1;

/// Everything that instances of a class may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    version: u64,
    /// The class.
    pub class: String,
    /// The region, as signatures have it.
    pub region: String,
    /// EC2: scheme, host and port.
    pub endpoint: String,
    /// The service of quotas, if it is not that of the region.
    pub quotas: Option<String>,
    /// The metadata service of this host, if it is not at its usual place.
    pub metadata: Option<String>,
    /// By what EC2 is asked.
    pub credential: By,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Which image.
    pub image: ImageChoice,
    instance_types: Vec<String>,
    subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    spot: usize,
    candidates: usize,
    /// Whether an instance gets a public address; `None` leaves that to the subnet.
    pub public_address: Option<bool>,
    /// Gibibytes of the root disk.
    pub volume: u32,
}

/// By what EC2 is asked: one of two, never both.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// A file, which systemd gives.
    File,
    /// The role of this host, which its metadata service gives.
    InstanceProfile,
}

/// Which image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum ImageChoice {
    /// This one.
    Id(String),
    /// The newest of an owner.
    Newest {
        /// An account.
        owner: String,
        /// With `*` and `?`.
        name: String,
    },
}

impl Manifest {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// One sentence.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| format!("Failed to read {}: {error}.", path.display()))?;
        Self::parse(&text).map_err(|fault| {
            format!("{} {fault}: take the module and the programs from the same release.", path.display())
        })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|error| format!("is no manifest ({error})"))?;
        if manifest.version != VERSION {
            return Err(format!("has version {}, and not {VERSION}", manifest.version));
        }
        if manifest.candidates == 0 || manifest.spot > manifest.candidates {
            return Err("has no candidates".into());
        }
        let all = manifest.instance_types.len() * manifest.subnets.len();
        if manifest.spot > all || manifest.candidates - manifest.spot > all {
            return Err("has more candidates than types in subnets".into());
        }
        let is_plain = manifest.endpoint.strip_prefix("https://").is_some_and(is_host);
        let is_here = manifest.endpoint.strip_prefix("http://127.0.0.1:").is_some_and(is_host);
        if is_plain || is_here { Ok(manifest) } else { Err("has an endpoint that is no address by https".into()) }
    }

    /// The candidate that a token names, which begins with hexadecimal digits and ends with the candidate's number: spot instances
    /// first, then the others, each by types in their order. With which subnet it begins is by chance, so that not all orders begin in
    /// the same zone.
    #[must_use]
    pub fn place(&self, token: &str, image: Image) -> Option<Placement> {
        let (digits, number) = token.split_once('-')?;
        let first = usize::try_from(u32::from_str_radix(digits.get(..8)?, 16).ok()?).ok()?;
        let at = number.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < self.candidates)?;
        let (market, at) = if at < self.spot { (Market::Spot, at) } else { (Market::OnDemand, at - self.spot) };
        let subnets = self.subnets.len();
        let instance_type = self.instance_types.get(at / subnets)?.clone();
        let subnet = self.subnets.get((first + at) % subnets)?.clone();
        Some(Placement { market, instance_type, subnet, image })
    }

    /// Whether an instance of this placement is one of this class. The image is not looked at: there may be a newer one by now.
    #[must_use]
    pub fn has(&self, placement: &Placement) -> bool {
        self.instance_types.contains(&placement.instance_type) && self.subnets.contains(&placement.subnet)
    }

    /// Whether an image that was looked up before may be taken without another look.
    #[must_use]
    pub fn may_be(&self, image: &Image) -> bool {
        match &self.image {
            ImageChoice::Id(id) => *id == image.id,
            ImageChoice::Newest { .. } => true,
        }
    }

    /// What is looked for.
    #[must_use]
    pub fn wanted(&self) -> Wanted<'_> {
        match &self.image {
            ImageChoice::Id(id) => Wanted::Id(id),
            ImageChoice::Newest { owner, name } => Wanted::Newest { owner, name },
        }
    }

    /// Whether there are candidates of a market.
    #[must_use]
    pub fn uses(&self, market: Market) -> bool {
        match market {
            Market::Spot => self.spot > 0,
            Market::OnDemand => self.candidates > self.spot,
        }
    }

    /// All types.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.instance_types
    }

    /// All subnets.
    #[must_use]
    pub fn subnets(&self) -> &[String] {
        &self.subnets
    }

    /// The first candidate of each market that there is.
    pub fn first_of_each<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = Placement> + 'a {
        let place = move |market| Placement {
            market,
            instance_type: self.instance_types[0].clone(),
            subnet: self.subnets[0].clone(),
            image: image.clone(),
        };
        [Market::Spot, Market::OnDemand].into_iter().filter(|market| self.uses(*market)).map(place)
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../../../tests/fixtures/cloud-manifest-v1.json");

    fn image() -> Image {
        Image { id: "ami-00000000000000001".into(), root_device: "/dev/sda1".into(), other_devices: vec![] }
    }

    fn placed(manifest: &Manifest, first: &str, candidate: usize) -> Option<String> {
        let token = format!("{first}{}-{candidate}", "0".repeat(32));
        manifest.place(&token, image()).map(|found| {
            let zone = found.subnet.chars().last().unwrap();
            format!("{} {} {zone}", found.market.word(), found.instance_type)
        })
    }

    #[test]
    fn spot_comes_first_types_in_their_order_and_subnets_by_chance() {
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        let all = |first: &str| (1..=8).map(|at| placed(&manifest, first, at).unwrap()).collect::<Vec<_>>();
        assert_eq!(
            all("00000000"),
            [
                "spot c7i.xlarge a",
                "spot c7i.xlarge b",
                "spot m7i.xlarge a",
                "spot m7i.xlarge b",
                "on-demand c7i.xlarge a",
                "on-demand c7i.xlarge b",
                "on-demand m7i.xlarge a",
                "on-demand m7i.xlarge b",
            ]
        );
        assert_eq!(all("00000001")[..2], ["spot c7i.xlarge b", "spot c7i.xlarge a"]);
        for (token, candidate) in [("0000000g", 1), ("00000000", 0), ("00000000", 9)] {
            assert_eq!(placed(&manifest, token, candidate), None);
        }
        let mut all = all("ffffffff");
        all.dedup();
        assert_eq!(all.len(), 8, "each candidate is another one");
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_refused() {
        for (from, to, part) in [
            ("\"version\": 1", "\"version\": 2", "version 2"),
            ("\"candidates\": 8", "\"candidates\": 0", "no candidates"),
            ("\"candidates\": 8", "\"candidates\": 9", "more candidates"),
            ("\"spot\": 4", "\"spot\": 5", "more candidates"),
            ("https://ec2", "http://ec2", "no address by https"),
            ("https://ec2", "https://ec2/", "no address by https"),
            ("\"volume\"", "\"disk\"", "no manifest"),
        ] {
            let fault = Manifest::parse(MANIFEST.replace(from, to).as_bytes()).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
        let here = MANIFEST.replace("https://ec2.eu-central-1.amazonaws.com", "http://127.0.0.1:5000");
        Manifest::parse(here.as_bytes()).unwrap();
    }
}
