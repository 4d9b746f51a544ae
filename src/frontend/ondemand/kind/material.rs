//! The registration on its way to a machine: read from its file, and made into what the machine is told.

use anyhow::{Context as _, Result, bail};

use super::{Launch, user_data};
use crate::machines::Fault;
use crate::registration::jit::{JitRegistration, MAX_BYTES};
use crate::sys::{LastLink, read_regular_file};

/// The user data for a launch. It holds secrets.
///
/// # Errors
///
/// The registration cannot be read. Nothing was asked for then, and the next look at the order sees whether it is there.
pub(super) fn user_data(launch: &Launch<'_>) -> Result<String, Fault> {
    let read = || -> Result<JitRegistration> {
        match read_regular_file(launch.registration, MAX_BYTES, LastLink::Refuse)? {
            Ok(Some(text)) => JitRegistration::parse(&text),
            Ok(None) => bail!("there is no such file"),
            Err(fault) => bail!("it {fault}"),
        }
    };
    let registration = read()
        .with_context(|| format!("Failed to read the registration of {} for its machine", launch.key))
        .map_err(|error| Fault::Other(format!("{error:#}")))?;
    Ok(user_data::script(&registration, launch))
}
