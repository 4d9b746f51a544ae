//! What there is without anybody asking for it: images, types, subnets, groups. Tests may change all of it.

use super::state::State;

/// The region, if nothing else is said.
pub const REGION: &str = "eu-central-1";
/// A subnet of the first zone, taken for requests that name none.
pub const SUBNET_A: &str = "subnet-0000000000000000a";
/// A subnet of the second zone.
pub const SUBNET_B: &str = "subnet-0000000000000000b";
/// Another one of the first zone.
pub const SUBNET_C: &str = "subnet-0000000000000000c";
/// A security group.
pub const GROUP: &str = "sg-0123456789abcdef0";
/// An image for `x86_64`.
pub const IMAGE: &str = "ami-0123456789abcdef0";
/// An image for `arm64`.
pub const IMAGE_ARM: &str = "ami-0fedcba9876543210";
/// The root device of both.
pub const ROOT_DEVICE: &str = "/dev/sda1";
/// The account to which everything belongs; it is the one of AWS's examples.
pub const ACCOUNT: &str = "123456789012";
/// The network of all subnets.
pub const VPC: &str = "vpc-0123456789abcdef0";

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    pub owner: String,
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    pub root_device: String,
    /// As `2026-01-02T03:04:05.000Z`.
    pub created: String,
    /// `available`, `pending` and so on.
    pub state: &'static str,
    /// The size of its disk, in GiB.
    pub size: u64,
}

/// A type of instances.
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: String,
    pub architecture: &'static str,
    pub cpus: u32,
    /// In MiB.
    pub memory: u32,
    /// Zones that do not have it.
    pub absent_in: Vec<String>,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    pub id: String,
    pub zone: String,
    /// How many addresses are free.
    pub free: u32,
    /// Whether it is taken for requests that name none.
    pub is_default: bool,
}

fn image(id: &str, name: &str, architecture: &'static str) -> Image {
    Image {
        id: id.into(),
        owner: ACCOUNT.into(),
        name: name.into(),
        architecture,
        root_device: ROOT_DEVICE.into(),
        created: "2026-01-02T03:04:05.000Z".into(),
        state: "available",
        size: 8,
    }
}

/// The images at first.
pub fn images() -> Vec<Image> {
    vec![
        image(IMAGE, "github-runner-x86_64-20260102", "x86_64"),
        image(IMAGE_ARM, "github-runner-arm64-20260102", "arm64"),
        Image {
            created: "2025-01-02T03:04:05.000Z".into(),
            ..image("ami-00000000000000001", "github-runner-x86_64-20250102", "x86_64")
        },
    ]
}

/// The types at first.
pub fn kinds() -> Vec<Kind> {
    let kind = |(name, architecture, cpus, memory): (&str, _, _, _)| Kind {
        name: name.into(),
        architecture,
        cpus,
        memory,
        absent_in: Vec::new(),
    };
    let all = [
        ("t3.micro", "x86_64", 2, 1_024),
        ("c7i.large", "x86_64", 2, 4_096),
        ("c7i.xlarge", "x86_64", 4, 8_192),
        ("m7i.large", "x86_64", 2, 8_192),
        ("c7g.large", "arm64", 2, 4_096),
        ("c7g.xlarge", "arm64", 4, 8_192),
    ];
    all.map(kind).into()
}

/// The subnets at first.
pub fn subnets(region: &str) -> Vec<Subnet> {
    let subnet = |(id, zone, is_default): (&str, _, _)| Subnet {
        id: id.into(),
        zone: format!("{region}{zone}"),
        free: 250,
        is_default,
    };
    [(SUBNET_A, "a", true), (SUBNET_B, "b", false), (SUBNET_C, "a", false)].map(subnet).into()
}

impl State {
    /// A subnet that there is.
    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == id)
    }

    /// An image that there is.
    pub fn image(&self, id: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.id == id)
    }

    /// A type that there is.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}
