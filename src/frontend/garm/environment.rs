//! What GARM asks for in the environment of a call, and the exit codes that it knows. Pure: variables are given.
//!
//! GARM starts one process for each operation, without arguments and with a bare environment: no `PATH`, no `HOME`, its own
//! variables only. Ids of pools are opaque: a UUID for pools, any text for scale sets. GARM may leave a pool's id empty where
//! the interface v0.1.1 wants one, so only a list needs it.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::machines::Fault;
use crate::model::shown;

/// The versions of GARM's interface that are spoken, the oldest first.
pub const INTERFACES: [&str; 2] = ["v0.1.0", "v0.1.1"];

/// The variable that says what is to be done. Without it no GARM has called.
pub const COMMAND: &str = "GARM_COMMAND";

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Say which version of this program it is.
    Version,
    /// Say which versions of the interface it speaks.
    Interfaces,
    /// Say which settings there are, as a JSON Schema.
    SettingsSchema,
    /// Say which extra specs there are, as a JSON Schema.
    ExtraSpecsSchema,
    /// Say whether the extra specs of a pool are good.
    Validate,
    /// Something about instances.
    Act(Call),
}

/// Something about instances, for one controller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// What.
    pub action: Action,
    /// The id of the GARM that calls; it owns what it tagged with it.
    pub controller: String,
    /// The provider's settings.
    pub settings: PathBuf,
}

/// What is done with instances.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Make one, as standard input says, for the pool that is named if that names none.
    Create(String),
    /// Tell one, by its name.
    Get(String),
    /// Remove one, by its name.
    Delete(String),
    /// Start one, by its name.
    Start(String),
    /// Stop one, by its name.
    Stop(String),
    /// Tell all of a pool.
    List(String),
    /// Remove all of this controller.
    RemoveAll,
}

/// Reads the variables of a call.
///
/// # Errors
///
/// The variable that is missing or unknown, in a sentence. Nothing but the name of a command or version is repeated.
pub fn command(variable: impl Fn(&str) -> Option<OsString>) -> Result<Command> {
    let text = |name: &str| -> Result<String> {
        let value = variable(name).unwrap_or_default();
        value.into_string().ok().with_context(|| format!("The variable {name} is not UTF-8 text"))
    };
    let needed = |name: &str, why: &str| {
        let value = text(name)?;
        if value.is_empty() {
            bail!("The variable {name} is not set: {why}");
        }
        Ok(value)
    };
    let interface = text("GARM_INTERFACE_VERSION")?;
    if !interface.is_empty() && !INTERFACES.contains(&interface.as_str()) {
        bail!(
            "GARM speaks version {} of the provider's interface, and this program {}: leave `interface_version` out of \
             GARM's `[provider.external]`",
            shown(&interface),
            INTERFACES.join(" and ")
        );
    }
    let name = needed(COMMAND, "this program is called by GARM, as an external provider")?;
    let instance = || needed("GARM_INSTANCE_ID", "this command is about one instance");
    let action = match name.as_str() {
        "GetVersion" => return Ok(Command::Version),
        "GetSupportedInterfaceVersions" => return Ok(Command::Interfaces),
        "GetConfigJSONSchema" => return Ok(Command::SettingsSchema),
        "GetExtraSpecsJSONSchema" => return Ok(Command::ExtraSpecsSchema),
        "ValidatePoolInfo" => return Ok(Command::Validate),
        "CreateInstance" => Action::Create(text("GARM_POOL_ID")?),
        "GetInstance" => Action::Get(instance()?),
        "DeleteInstance" => Action::Delete(instance()?),
        "StartInstance" => Action::Start(instance()?),
        "StopInstance" => Action::Stop(instance()?),
        // Never those of all pools in its place: GARM removes what it does not know.
        "ListInstances" => Action::List(needed("GARM_POOL_ID", "a list is that of one pool")?),
        "RemoveAllInstances" => Action::RemoveAll,
        other => bail!("GARM asks for {}, which this version does not know", shown(other)),
    };
    Ok(Command::Act(Call {
        action,
        controller: needed("GARM_CONTROLLER_ID", "without it nobody knows whose instances are meant")?,
        settings: needed("GARM_PROVIDER_CONFIG_FILE", "it is `config_file` of GARM's `[provider.external]`")?.into(),
    }))
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    /// As asked.
    Success = 0,
    /// Not, for any other reason.
    Failure = 1,
    /// There is no such thing. GARM takes it for success when it deletes.
    NotFound = 30,
    /// There is one already.
    Duplicate = 31,
}

impl Code {
    /// For a fault of an instance.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        match fault {
            Fault::NotFound(_) => Self::NotFound,
            Fault::Duplicate(_) => Self::Duplicate,
            _ => Self::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: [(&str, &str); 4] = [
        ("GARM_COMMAND", "GetInstance"),
        ("GARM_CONTROLLER_ID", "11111111-1111-4111-8111-111111111111"),
        ("GARM_PROVIDER_CONFIG_FILE", "/etc/garm/provider.toml"),
        ("GARM_INTERFACE_VERSION", "v0.1.0"),
    ];

    /// The usual variables with others in their place; an empty one is none.
    fn with(changes: &[(&str, &str)]) -> Result<Command> {
        command(|name| {
            let all = changes.iter().chain(&BARE);
            all.clone().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn action(command: &str) -> Result<Action> {
        let known = [("GARM_COMMAND", command), ("GARM_INSTANCE_ID", "garm-1"), ("GARM_POOL_ID", "set-one")];
        with(&known).map(|command| match command {
            Command::Act(call) => call.action,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn each_command_of_the_interface_is_known() {
        for (name, expected) in [
            ("CreateInstance", Action::Create("set-one".into())),
            ("GetInstance", Action::Get("garm-1".into())),
            ("DeleteInstance", Action::Delete("garm-1".into())),
            ("StartInstance", Action::Start("garm-1".into())),
            ("StopInstance", Action::Stop("garm-1".into())),
            ("ListInstances", Action::List("set-one".into())),
            ("RemoveAllInstances", Action::RemoveAll),
        ] {
            assert_eq!(action(name).unwrap(), expected);
        }
        for (name, expected) in [
            ("GetVersion", Command::Version),
            ("GetSupportedInterfaceVersions", Command::Interfaces),
            ("GetConfigJSONSchema", Command::SettingsSchema),
            ("GetExtraSpecsJSONSchema", Command::ExtraSpecsSchema),
            ("ValidatePoolInfo", Command::Validate),
        ] {
            // What is about no instance needs neither controller nor settings.
            let alone = command(|known| (known == COMMAND).then(|| name.into()));
            assert_eq!(alone.unwrap(), expected);
        }
    }

    #[test]
    fn only_a_list_needs_a_pool() {
        for name in ["GetInstance", "DeleteInstance", "StartInstance", "StopInstance", "RemoveAllInstances"] {
            for version in ["", "v0.1.0", "v0.1.1"] {
                let call = [
                    ("GARM_COMMAND", name),
                    ("GARM_INSTANCE_ID", "garm-1"),
                    ("GARM_POOL_ID", ""),
                    ("GARM_INTERFACE_VERSION", version),
                ];
                with(&call).unwrap();
            }
        }
        let error = with(&[("GARM_COMMAND", "ListInstances"), ("GARM_POOL_ID", "")]).unwrap_err();
        assert!(error.to_string().contains("GARM_POOL_ID"), "{error}");
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        for (changes, said) in [
            (&[("GARM_COMMAND", "")][..], "The variable GARM_COMMAND is not set"),
            (&[("GARM_COMMAND", "Createinstance")], "\"Createinstance\", which this version does not know"),
            (&[("GARM_INTERFACE_VERSION", "v0.2.0")], "leave `interface_version` out"),
            (&[("GARM_CONTROLLER_ID", ""), ("GARM_INSTANCE_ID", "garm-1")], "GARM_CONTROLLER_ID is not set"),
            (&[("GARM_PROVIDER_CONFIG_FILE", ""), ("GARM_INSTANCE_ID", "garm-1")], "`config_file`"),
            (&[("GARM_INSTANCE_ID", "")], "GARM_INSTANCE_ID is not set"),
        ] {
            let error = with(changes).unwrap_err().to_string();
            assert!(error.contains(said), "{changes:?}: {error}");
        }
    }

    #[test]
    fn a_variable_that_is_no_text_is_named_and_not_shown() {
        use std::os::unix::ffi::OsStringExt as _;
        let error = command(|_| Some(OsString::from_vec(vec![b'a', 0xff]))).unwrap_err().to_string();
        assert_eq!(error, "The variable GARM_INTERFACE_VERSION is not UTF-8 text");
    }

    #[test]
    fn faults_have_the_codes_that_garm_knows() {
        for (fault, code) in [
            (Fault::NotFound("x".into()), 30),
            (Fault::Duplicate("x".into()), 31),
            (Fault::Busy("x".into()), 1),
            (Fault::NoCapacity("x".into()), 1),
            (Fault::Unavailable("x".into()), 1),
            (Fault::Configuration("x".into()), 1),
            (Fault::Other("x".into()), 1),
        ] {
            assert_eq!(Code::of(&fault) as u8, code, "{fault:?}");
        }
    }
}
