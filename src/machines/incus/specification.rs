//! What is asked for, and what there is. Pure.

/// What an instance is to the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Shares its kernel.
    Container,
    /// Has a kernel of its own.
    VirtualMachine,
}

/// What the root file system is made from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Image {
    /// An image that the server has: an alias, or the beginning of a fingerprint.
    Local(String),
    /// An image of another server, which this one downloads.
    Remote {
        /// The address of that server.
        server: String,
        /// How it answers: `simplestreams`.
        protocol: String,
        /// The alias there.
        alias: String,
    },
}

/// What an instance may take, as the server writes it; what is absent is for the profiles to say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Processors: a number, or a list such as `0-3`.
    pub cpu: Option<String>,
    /// Memory, such as `4GiB`.
    pub memory: Option<String>,
    /// The size of the root disk, such as `20GiB`. A profile has to have that disk.
    pub disk: Option<String>,
}

/// What is asked for.
#[derive(Clone, Eq, PartialEq)]
pub struct Specification {
    /// The name, which is also how the instance is found again.
    pub name: String,
    /// What it says of itself to people.
    pub description: String,
    /// Container or virtual machine.
    pub kind: Kind,
    /// As the server writes it: `x86_64`, `aarch64`, `armv7l`.
    pub architecture: String,
    /// Profiles in the order in which they apply. A repeated one counts once.
    pub profiles: Vec<String>,
    /// What it is made from.
    pub image: Image,
    /// What cloud-init reads. Holds secrets of the guest.
    pub user_data: String,
    /// Tag `user.os-type`.
    pub os_type: String,
    /// Tag `user.os-arch`.
    pub os_arch: String,
    /// Whether a virtual machine checks who signed its kernel.
    pub secure_boot: bool,
    /// What it may take.
    pub limits: Limits,
    /// A network in place of that of the profiles.
    pub network: Option<String>,
    /// A member of the cluster, or `@` and a group of them.
    pub target: Option<String>,
}

/// Not the user data, which holds secrets.
impl std::fmt::Debug for Specification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Specification")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("profiles", &self.profiles)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// What an instance does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// It runs.
    Running,
    /// It exists and does nothing.
    Stopped,
    /// The server cannot say more than that something is wrong with it.
    Error,
    /// Something between these.
    Unknown,
}

/// An instance that exists. Everything but the tags of controller and pool is for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// What it does.
    pub status: Status,
    /// From the image: `debian`, in small letters.
    pub os_name: Option<String>,
    /// From the image: `trixie`.
    pub os_version: Option<String>,
    /// As the server writes it: `x86_64`.
    pub architecture: String,
    /// Addresses of all interfaces that are good beyond the host, IPv4 before IPv6. Lists have none.
    pub addresses: Vec<String>,
    /// The tag of the controller.
    pub controller: Option<String>,
    /// The tag of the pool.
    pub pool: Option<String>,
}
