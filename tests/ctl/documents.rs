//! The command lines explain themselves, and the documents that packages install are complete.

use std::fs;

use clap::Command;

#[path = "../../examples/documents/write.rs"]
mod write;

fn visit(command: &Command, look: &mut dyn FnMut(&Command)) {
    look(command);
    for below in command.get_subcommands() {
        visit(below, look);
    }
}

#[test]
fn every_command_and_every_option_has_a_help_text() {
    for whole in [github_runners::cli::ctl::command(), write::provider()] {
        visit(&whole, &mut |command| {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has none");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} of {name} has none", argument.get_id());
            }
        });
    }
}

#[test]
fn each_command_has_its_page_in_section_8_and_each_shell_its_completions() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().join("made");
    write::write(&directory).unwrap();
    let mut expected = Vec::new();
    for command in [github_runners::cli::ctl::command(), write::provider()] {
        let name = command.get_name();
        expected.extend([format!("completions/_{name}"), format!("completions/{name}.bash")]);
        expected.extend([format!("completions/{name}.fish"), format!("man/{name}.8")]);
        for below in command.get_subcommands() {
            expected.push(format!("man/{name}-{}.8", below.get_name()));
            let last = below.get_subcommands().map(clap::Command::get_name);
            expected.extend(last.map(|last| format!("man/{name}-{}-{last}.8", below.get_name())));
        }
    }
    expected.sort();
    let mut written = Vec::new();
    for below in ["completions", "man"] {
        for entry in fs::read_dir(directory.join(below)).unwrap() {
            written.push(format!("{below}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    written.sort();
    assert_eq!(written, expected);
    let page = fs::read_to_string(directory.join("man/github-runnerctl-status.8")).unwrap();
    assert!(page.contains(".TH github-runnerctl-status 8") && page.contains("\\-\\-json"), "{page}");
    for (program, words) in
        [("github-runnerctl", ["status", "fleet"]), ("garm-provider-incus-lxd", ["setup", "storage"])]
    {
        let files = [format!("_{program}"), format!("{program}.bash"), format!("{program}.fish")];
        for file in files {
            let text = fs::read_to_string(directory.join("completions").join(&file)).unwrap();
            assert!(words.iter().all(|word| text.contains(word)), "{file}: {text}");
        }
    }
}
