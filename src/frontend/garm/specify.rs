//! What an instance is made from: GARM's request, the pool's extra specs and the provider's settings put together. Pure.

use super::bootstrap::Bootstrap;
use super::extra_specs::ExtraSpecs;
use super::script::script;
use super::settings::Settings;
use super::tools;
use super::user_data::user_data;
use crate::machines::Fault;
use crate::machines::incus::{Image, Specification};
use crate::model::shown;

/// What an instance says of itself to people, as those of the Go providers do.
const DESCRIPTION: &str = "Github runner provisioned by garm";

/// What is asked of the server.
///
/// # Errors
///
/// [`Fault::NotFound`] for an image of a remote that is not configured, which is what GARM's interface has for it, and
/// [`Fault::Configuration`] for everything else that can never work.
pub fn specify(settings: &Settings, bootstrap: &Bootstrap) -> Result<Specification, Fault> {
    let wrong = |error: anyhow::Error| Fault::Configuration(format!("{error:#}"));
    let specs = ExtraSpecs::parse(&bootstrap.extra_specs).map_err(wrong)?;
    let architecture = tools::of_server(&bootstrap.arch).ok_or_else(|| {
        Fault::Configuration(format!(
            "There are no instances of architecture {} here: `os_arch` of the pool can be amd64, arm64 or arm",
            shown(&bootstrap.arch)
        ))
    })?;
    let image = image(settings, &bootstrap.image)?;
    let default = settings.include_default_profile.then(|| "default".to_owned());
    let flavor = Some(bootstrap.flavor.clone()).filter(|flavor| !flavor.is_empty());
    let profiles: Vec<String> = default.into_iter().chain(flavor).chain(specs.profiles.clone()).collect();
    if profiles.is_empty() {
        return Err(Fault::Configuration("The pool has no flavor: it is the name of a profile in the project".into()));
    }
    let script = script(bootstrap, &specs).map_err(wrong)?;
    let user_data = user_data(bootstrap, &specs, &script).map_err(wrong)?;
    Ok(Specification {
        name: bootstrap.name.clone(),
        description: DESCRIPTION.into(),
        kind: specs.kind.unwrap_or(settings.kind),
        architecture: architecture.into(),
        profiles,
        image,
        user_data,
        os_type: bootstrap.os_type.clone(),
        os_arch: bootstrap.arch.clone(),
        secure_boot: settings.secure_boot,
        limits: specs.limits,
        network: specs.network,
        target: specs.target,
    })
}

/// `ALIAS`, a fingerprint, or `REMOTE:ALIAS` of a remote of the settings.
fn image(settings: &Settings, image: &str) -> Result<Image, Fault> {
    let Some((remote, alias)) = image.split_once(':') else { return Ok(Image::Local(image.into())) };
    if alias.is_empty() {
        return Err(Fault::Configuration(format!("The image {} has no name after its `:`", shown(image))));
    }
    let known = settings.remotes.iter().find(|known| known.name == remote).ok_or_else(|| {
        let names: Vec<&str> = settings.remotes.iter().map(|remote| remote.name.as_str()).collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        Fault::NotFound(format!(
            "The image {} is one of a remote that is not configured. Add it to `image_remotes` of the provider's settings; \
             there are: {names}",
            shown(image)
        ))
    })?;
    if let Some(fault) = known.fault() {
        return Err(Fault::Configuration(format!("The image {} cannot be found: {fault}", shown(image))));
    }
    Ok(Image::Remote { server: known.address.clone(), protocol: known.protocol.clone(), alias: alias.into() })
}

#[cfg(test)]
#[path = "specify_tests.rs"]
mod tests;
