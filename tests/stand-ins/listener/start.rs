//! What happens before the first argument is looked at.
//!
//! In the runner this is `LoadAndSetEnv`, the constructor of the host context and the
//! permission check (Program.cs:88-101, 172-199; HostContext.cs:94-222). What fails
//! before `MainAsync` is an unhandled exception, which ends a .NET program by SIGABRT,
//! whatever the command was: even `remove --local` cannot mend a truncated `.runner`.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use super::{
    MISUSED, TERMINATED, arguments::Arguments, diagnostics::Log, dump, environment::Environment, files, script::Script,
    terminal,
};

/// All that a command needs.
pub struct Start {
    /// Where `.runner` and the others live.
    pub root: PathBuf,
    /// Where the stand-in was called, and its script lies.
    pub directory: PathBuf,
    pub environment: Environment,
    pub arguments: Arguments,
    pub script: Script,
    pub log: Log,
}

/// Gets ready, or says with which code to leave.
pub fn start() -> Result<Start, ExitCode> {
    let argv: Vec<OsString> = env::args_os().collect();
    let directory = own_directory(&argv);
    let script = Script::read(&directory).map_err(|error| misused(&error))?;
    let mut environment = Environment::inherited();
    if let Some(target) = &script.dump {
        dump::dump(target, &argv, &environment).map_err(|error| misused(&error))?;
    }

    let root = environment.root(&directory);
    if let Err(error) = environment.load(&root.join(".env")) {
        abort("System.IO.IOException", &error.to_string());
    }
    // The file may even have moved the root.
    let root = environment.root(&directory);
    let mut log = match Log::create(&root) {
        Ok(log) => log,
        Err(error) => abort("System.UnauthorizedAccessException", &error.to_string()),
    };
    if let Err(error) = files::read_settings(&root) {
        abort("Newtonsoft.Json.JsonReaderException", &error.to_string());
    }
    if let Err(error) = files::check_credentials(&root) {
        abort("Newtonsoft.Json.JsonReaderException", &error.to_string());
    }
    if let Some(hidden) = root.ancestors().find(|above| fs::read_dir(above).is_err()) {
        log.trace(&format!("cannot list {}", hidden.display()));
        let root = root.display();
        terminal::error(&format!(
            "An error occurred: Permission to read the directory contents is required for '{root}' and each directory up the hierarchy. Access to the path '{}' is denied.",
            hidden.display()
        ));
        return Err(ExitCode::from(TERMINATED));
    }

    let words = argv.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let inputs = environment.take_inputs();
    let arguments = Arguments::parse(words, inputs, &mut log);
    Ok(Start { root, directory, environment, arguments, script, log })
}

/// The directory of the name that the stand-in was called by, links unresolved: tests
/// link `Runner.Listener` to the one binary and put a script beside each link.
fn own_directory(argv: &[OsString]) -> PathBuf {
    let called = argv.first().map(PathBuf::from).unwrap_or_default();
    let by_path = |path: &Path| path.components().count() > 1;
    let executable = if by_path(&called) { called } else { env::current_exe().unwrap_or_default() };
    let directory = executable.parent().unwrap_or(Path::new("/"));
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

fn misused(error: &anyhow::Error) -> ExitCode {
    terminal::error(&format!("stand-in misused: {error:#}"));
    ExitCode::from(MISUSED)
}

/// Dies as an unhandled .NET exception does: exit status 134 in a shell.
fn abort(exception: &str, message: &str) -> ! {
    terminal::error(&format!("Unhandled exception. {exception}: {message}"));
    process::abort()
}
