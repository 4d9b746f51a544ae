use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<Settings> {
    Settings::parse(text.as_bytes())
}

#[test]
fn the_shortest_settings_are_a_socket() {
    let settings = parsed("unix_socket_path = '/run/incus.socket'").unwrap();
    let endpoint = Endpoint::Socket("/run/incus.socket".into());
    assert_eq!(settings.connection, Connection { endpoint, project: "garm-project".into() });
    assert_eq!(settings.kind, Kind::VirtualMachine);
    assert!(!settings.include_default_profile && !settings.secure_boot);
    assert!(settings.remotes.is_empty() && settings.oddities.is_empty());
}

#[test]
fn the_examples_are_taken_without_a_remark() {
    for text in [
        include_str!("../../../examples/garm/provider-incus.toml"),
        include_str!("../../../examples/garm/provider-lxd.toml"),
    ] {
        let settings = parsed(text).unwrap();
        assert_eq!(settings.oddities, [""; 0]);
        assert!(!settings.remotes.is_empty());
    }
}

#[test]
fn each_key_of_the_go_providers_is_known() {
    let settings = parsed(
        r#"
        unix_socket_path = ""
        url = "https://incus.example:8443"
        client_certificate = "/etc/garm/client.crt"
        client_key = "/etc/garm/client.key"
        tls_server_certificate = "/etc/garm/server.crt"
        tls_ca = ""
        project_name = "ci"
        include_default_profile = true
        instance_type = "container"
        secure_boot = true
        [image_remotes.images]
        addr = "https://images.example"
        protocol = "simplestreams"
        public = true
        skip_verify = false
        "#,
    );
    let endpoint = Endpoint::Https {
        url: "https://incus.example:8443".into(),
        client_certificate: "/etc/garm/client.crt".into(),
        client_key: "/etc/garm/client.key".into(),
        server_certificate: Some("/etc/garm/server.crt".into()),
        ca: None,
    };
    let remote =
        Remote { name: "images".into(), address: "https://images.example".into(), protocol: "simplestreams".into() };
    let expected = Settings {
        connection: Connection { endpoint, project: "ci".into() },
        include_default_profile: true,
        kind: Kind::Container,
        secure_boot: true,
        remotes: vec![remote],
        oddities: vec![],
    };
    assert_eq!(settings.unwrap(), expected);
}

#[test]
fn a_socket_goes_before_an_address_that_then_needs_nothing() {
    let settings = parsed("unix_socket_path = '/s'\nurl = 'http://x'").unwrap();
    assert_eq!(settings.connection.endpoint, Endpoint::Socket("/s".into()));
}

#[test]
fn what_means_nothing_is_told_and_changes_nothing() {
    let settings = parsed(
        "unix_socket_path = '/s'\nproject = 'x'\ninstance_type = 'vm'\n\
         [image_remotes.a]\naddr = 'https://a'\nprotocol = 'simplestreams'\nskip_verify = true\ncolour = 1\n[other]\n",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.kind, Kind::VirtualMachine);
    assert_eq!(
        settings.oddities,
        [
            "key \"other\" is not known and has no effect",
            "key \"project\" is not known and has no effect",
            "instance_type \"vm\" is taken for virtual-machine",
            "key \"image_remotes.a.colour\" is not known and has no effect",
            "image_remotes.a.skip_verify has no effect: the server downloads images and checks",
        ]
    );
}

#[test]
fn what_cannot_work_names_its_key() {
    for (text, said) in [
        ("", "neither `unix_socket_path` nor `url` is set"),
        ("url = 'http://x'", "`url` has to begin with https://"),
        ("url = 'https://x'", "`url` needs `client_certificate`"),
        ("url = 'https://x'\nclient_certificate = '/c'", "`url` needs `client_key`"),
        ("unix_socket_path = 5", "`unix_socket_path` has to be a text in quotes"),
        ("unix_socket_path = '/s'\nsecure_boot = 'yes'", "`secure_boot` has to be true or false"),
        ("unix_socket_path = '/s'\nimage_remotes = 'x'", "`image_remotes` has to be a table"),
        ("unix_socket_path = '/s'\n[image_remotes]\na = 1", "`image_remotes.a` has to be a table"),
        ("unix_socket_path = '/s'\n[image_remotes.a]\naddr = 5", "`image_remotes.a.addr` has to be a text"),
        ("\n\nunix_socket_path = /s", "line 3 is no TOML"),
        ("a = 1\na = 2", "line 2 is no TOML: duplicate key"),
    ] {
        let error = format!("{:#}", parsed(text).unwrap_err());
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(Settings::parse(&[0xff]).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_remote_that_cannot_work_is_told_and_harms_nothing_else() {
    for (text, said) in [
        ("addr = 'ftp://a'", "`image_remotes.a.addr`"),
        ("addr = 'https://a'", "`image_remotes.a.protocol` is missing"),
    ] {
        let settings = parsed(&format!("unix_socket_path = '/s'\n[image_remotes.a]\n{text}")).unwrap();
        let fault = settings.remotes[0].fault().unwrap();
        assert!(fault.contains(said), "{fault}");
    }
}

#[test]
fn a_file_that_is_none_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large.toml");
    File::create(&large).unwrap().set_len(MAX_SIZE + 1).unwrap();
    for (path, said) in [
        (directory.path().join("absent.toml"), "No such file"),
        (directory.path().to_owned(), "no regular file"),
        (large, "more than 1048576 bytes"),
    ] {
        let error = format!("{:#}", Settings::read(&path).unwrap_err());
        assert!(error.contains(said) && error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn the_schema_has_each_key() {
    let schema = schema();
    for (key, ..) in KEYS {
        assert!(schema["properties"][key]["description"].is_string(), "{key}");
    }
    let remote = schema["properties"]["image_remotes"]["additionalProperties"]["properties"].as_object().unwrap();
    let mut known = REMOTE_KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(remote.keys().collect::<Vec<_>>(), known);
}

proptest! {
    #[test]
    fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = Settings::parse(&bytes);
    }

    #[test]
    fn no_text_of_toml_is_a_danger(lines in prop::collection::vec("(url|image_remotes|secure_boot|\\[a\\.b\\]|x) ?(=|\\.) ?('a'|1|true|\\{a=1\\}|\\[)", 0..6)) {
        _ = Settings::parse(lines.join("\n").as_bytes());
    }
}
