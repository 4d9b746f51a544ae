//! The stand-in for EC2: whom it believes, what a token is worth, and how it fails.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::ec2::{
    self, ACCESS_KEY, After, Condition, Ec2, GROUP, IMAGE, REGION, Rule, SECRET_KEY, SUBNET_A, SUBNET_B, SUBNET_C,
    Settings, Signer, Then,
};

const SIGNER: Signer<'_> =
    Signer { access_key: ACCESS_KEY, secret_key: SECRET_KEY, session_token: None, region: REGION, service: "ec2" };

/// Sends bytes and reads until the end: a status and a body, or 0 and nothing.
fn exchange(server: &Ec2, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "{head}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.into()))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Sends a signed body, with these headers besides that of the host.
fn send(server: &Ec2, signer: Signer<'_>, more: &[(&str, &str)], body: &str) -> (u16, String) {
    let host = server.address().to_string();
    let date = ec2::Utc::now().iso().replace(['-', ':'], "");
    let headers = signer.headers(&[[("host", host.as_str())].as_slice(), more].concat(), body.as_bytes(), &date);
    let head: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(server, &format!("POST / HTTP/1.1\r\n{}", head.concat()), body)
}

fn ask_as(server: &Ec2, signer: Signer<'_>, parameters: &[(&str, &str)]) -> (u16, String) {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let body = format!("Version={}&{}", ec2::VERSION, pairs.join("&"));
    send(server, signer, &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")], &body)
}

fn ask(server: &Ec2, parameters: &[(&str, &str)]) -> (u16, String) {
    ask_as(server, SIGNER, parameters)
}

/// Runs an instance with a token in a subnet; what else is said comes last.
fn launch(server: &Ec2, token: &str, subnet: &str, more: &[(&str, &str)]) -> (u16, String) {
    let data = STANDARD.encode("#!/bin/bash\ntrue\n");
    let usual = [
        ("Action", "RunInstances"),
        ("ImageId", IMAGE),
        ("InstanceType", "c7i.large"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet),
        ("SecurityGroupId.1", GROUP),
        ("ClientToken", token),
        ("InstanceInitiatedShutdownBehavior", "terminate"),
        ("UserData", &data),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "owner"),
        ("TagSpecification.1.Tag.1.Value", token),
    ];
    ask(server, &[usual.as_slice(), more].concat())
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> String {
    let after = xml.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
    after.split_once(&format!("</{name}>")).map_or(String::new(), |(text, _)| text.into())
}

fn started() -> Ec2 {
    ec2::start(ec2::Config::default()).unwrap()
}

#[test]
fn signature_is_the_one_of_the_published_example() {
    // AWS's test `post-vanilla`, whose service is `service`.
    let signer = Signer { region: "us-east-1", service: "service", ..SIGNER };
    let headers = signer.headers(&[("Host", "example.amazonaws.com")], b"", "20150830T123600Z");
    let (_, authorization) = headers.iter().find(|(name, _)| name == "authorization").unwrap();
    assert!(
        authorization.ends_with("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        "{authorization}"
    );
}

#[test]
fn who_signs_wrongly_is_refused_and_nothing_is_done() {
    let server = started();
    let action = [("Action", "DescribeInstances")];
    let wrong = [
        (Signer { secret_key: "wrong", ..SIGNER }, 403, "SignatureDoesNotMatch"),
        (Signer { access_key: "AKIDNOBODY", ..SIGNER }, 401, "InvalidClientTokenId"),
        (Signer { session_token: Some("none"), ..SIGNER }, 401, "InvalidClientTokenId"),
        (Signer { region: "us-east-1", ..SIGNER }, 401, "AuthFailure"),
        (Signer { service: "sts", ..SIGNER }, 401, "AuthFailure"),
    ];
    for (signer, status, code) in wrong {
        let (found, body) = ask_as(&server, signer, &action);
        assert_eq!((found, element(&body, "Code")), (status, code.into()));
    }
    server.set(&Settings { clock_offset: Some(16 * 60), ..Settings::default() });
    assert_eq!(element(&ask(&server, &action).1, "Code"), "RequestExpired");
    server.set(&Settings { clock_offset: Some(0), ..Settings::default() });
    assert_eq!(ask(&server, &action).0, 200);
    assert_eq!(server.count("DescribeInstances"), 1);
}

#[test]
fn token_counts_within_its_zone() {
    let server = started();
    let first = element(&launch(&server, "one", SUBNET_A, &[]).1, "instanceId");
    assert_eq!(element(&launch(&server, "one", SUBNET_A, &[]).1, "instanceId"), first);
    // The same zone, but other parameters.
    assert_eq!(element(&launch(&server, "one", SUBNET_C, &[]).1, "Code"), "IdempotentParameterMismatch");
    let elsewhere = element(&launch(&server, "one", SUBNET_B, &[]).1, "instanceId");
    assert_ne!(elsewhere, first);
    assert_eq!(server.instances().len(), 2);
    server.power_off(&first);
    assert_eq!(element(&launch(&server, "one", SUBNET_A, &[]).1, "Code"), "IdempotentInstanceTerminated");
    assert_eq!(server.instances()[0].reason.as_ref().unwrap().0, "Client.InstanceInitiatedShutdown");
}

#[test]
fn unknown_and_unwanted_parameters_are_named() {
    let server = started();
    for (name, code) in [
        ("SecurityGroupIds.1", "UnknownParameter"),
        ("SecurityGroupId.3", "InvalidParameterValue"),
        ("IamInstanceProfile.Name", "StandInRefuses"),
        ("KeyName", "StandInRefuses"),
    ] {
        let (status, body) = launch(&server, "one", SUBNET_A, &[(name, "x")]);
        assert_eq!((status, element(&body, "Code")), (400, code.into()));
        assert!(element(&body, "Message").contains(name), "{body}");
    }
    let (status, body) = launch(&server, "one", SUBNET_A, &[("DryRun", "true")]);
    assert_eq!((status, element(&body, "Code")), (412, "DryRunOperation".into()));
    assert_eq!(server.instances().len(), 0);
    assert!(server.log().iter().all(|entry| !entry.parameters.contains_key("UserData")));
}

#[test]
fn list_comes_in_pages_and_takes_wildcards() {
    let server = started();
    server.set(&Settings { lag: Some(After::Looks(1)), page_size: Some(2), ..Settings::default() });
    for token in ["a-1", "a-2", "a-3", "b*1"] {
        launch(&server, token, SUBNET_A, &[]);
    }
    let list = |more: &[(&str, &str)]| ask(&server, &[[("Action", "DescribeInstances")].as_slice(), more].concat()).1;
    assert_eq!(list(&[]).matches("<instanceId>").count(), 0, "what is new is not listed at once");
    let first = list(&[]);
    assert!(first.contains("<name>running</name>"), "{first}");
    assert_eq!(first.matches("<instanceId>").count(), 2);
    let next = element(&first, "nextToken");
    for _ in 0..2 {
        let second = list(&[("NextToken", &next)]);
        assert_eq!((second.matches("<instanceId>").count(), element(&second, "nextToken")), (2, String::new()));
    }
    for (pattern, count) in [("a-?", 3), ("*1", 2), ("b\\*1", 1), ("a-", 0), ("*", 4)] {
        server.set(&Settings { page_size: Some(10), ..Settings::default() });
        for name in ["client-token", "tag:owner"] {
            let found = list(&[("Filter.1.Name", name), ("Filter.1.Value.1", pattern)]);
            assert_eq!(found.matches("<instanceId>").count(), count, "{name} like {pattern}");
        }
    }
    assert_eq!(
        element(&list(&[("Filter.1.Name", "color"), ("Filter.1.Value.1", "*")]), "Code"),
        "InvalidParameterValue"
    );
}

#[test]
fn answer_that_is_lost_was_done() {
    let server = started();
    server.inject(Rule::then("RunInstances", Then::Lost));
    assert_eq!(launch(&server, "one", SUBNET_A, &[]), (0, String::new()));
    let id = element(&launch(&server, "one", SUBNET_A, &[]).1, "instanceId");
    assert_eq!(server.instances().len(), 1);
    assert_eq!(server.instances()[0].id, id);
    assert_eq!(server.log()[0].status, 0);
}

#[test]
fn rules_are_for_what_they_name_and_are_used_up() {
    let server = started();
    let spot = [("InstanceMarketOptions.MarketType", "spot")];
    server.inject(Rule::refuse("RunInstances", "InsufficientInstanceCapacity").market("spot"));
    server.inject(Rule::then("RunInstances", Then::CapacityLater).subnet(SUBNET_B));
    assert_eq!(launch(&server, "one", SUBNET_A, &[]).0, 200);
    let (status, body) = launch(&server, "two", SUBNET_A, &spot);
    assert_eq!((status, element(&body, "Code")), (500, "InsufficientInstanceCapacity".into()));
    assert_eq!(launch(&server, "two", SUBNET_A, &spot).0, 200);
    assert_eq!(launch(&server, "three", SUBNET_B, &[]).0, 200);
    let [.., spot, later] = &server.instances()[..] else { panic!("instances are missing") };
    assert_eq!(later.condition, Condition::Terminated);
    assert_eq!(later.reason.as_ref().unwrap().0, "Server.InsufficientInstanceCapacity");
    assert!(server.interrupt(&spot.id) && !server.interrupt(&later.id));
}

#[test]
fn wrong_id_among_them_and_none_is_ended() {
    let server = started();
    let id = element(&launch(&server, "one", SUBNET_A, &[]).1, "instanceId");
    let end = |ids: &[(&str, &str)]| ask(&server, &[[("Action", "TerminateInstances")].as_slice(), ids].concat()).1;
    let refused = end(&[("InstanceId.1", &id), ("InstanceId.2", "i-00000000000000000")]);
    assert_eq!(element(&refused, "Code"), "InvalidInstanceID.NotFound");
    assert_eq!(server.instances()[0].condition, Condition::Pending);
    assert!(end(&[("InstanceId.1", &id)]).contains("<name>shutting-down</name>"));
    let list = ask(&server, &[("Action", "DescribeInstances")]).1;
    assert!(list.contains("terminated") && list.contains("Client.UserInitiatedShutdown"), "{list}");
}

#[test]
fn metadata_wants_a_token_and_can_be_closed() {
    let server = started();
    let id = element(&launch(&server, "one", SUBNET_A, &[("MetadataOptions.HttpTokens", "required")]).1, "instanceId");
    let door = server.serve_metadata(&id, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let at = |path: &str| format!("http://{}{path}", door.address());
    let get = |token: &str| {
        let mut answer = agent.get(at("/latest/user-data")).header("x-aws-ec2-metadata-token", token).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(agent.get(at("/latest/user-data")).call().unwrap().status(), 401);
    assert_eq!(get("wrong").0, 401);
    let token = agent.put(at("/latest/api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", "60").send_empty();
    let token = token.unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(get(&token), (200, "#!/bin/bash\ntrue\n".into()));
    let closed = [("Action", "ModifyInstanceMetadataOptions"), ("InstanceId", &id), ("HttpEndpoint", "disabled")];
    assert_eq!(ask(&server, &closed).0, 200);
    assert_eq!(get(&token).0, 403);
}

#[test]
fn what_can_be_had_is_told() {
    let server = started();
    let images = ask(
        &server,
        &[
            ("Action", "DescribeImages"),
            ("Owner.1", "self"),
            ("Filter.1.Name", "name"),
            ("Filter.1.Value.1", "github-runner-x86_64-*"),
            ("Filter.2.Name", "state"),
            ("Filter.2.Value.1", "available"),
        ],
    );
    assert_eq!(images.1.matches("<imageId>").count(), 2);
    assert_eq!(element(&images.1, "rootDeviceName"), ec2::ROOT_DEVICE);
    let subnets = ask(&server, &[("Action", "DescribeSubnets"), ("SubnetId.1", SUBNET_B)]).1;
    assert_eq!(element(&subnets, "availabilityZone"), format!("{REGION}b"));
    let kinds = ask(&server, &[("Action", "DescribeInstanceTypes"), ("InstanceType.1", "c7g.xlarge")]).1;
    assert!(kinds.contains("<item>arm64</item>") && element(&kinds, "defaultVCpus") == "4", "{kinds}");
    for (action, name, value, code) in [
        ("DescribeImages", "ImageId.1", "ami-00000000000000002", "InvalidAMIID.NotFound"),
        ("DescribeImages", "ImageId.1", "image", "InvalidAMIID.Malformed"),
        ("DescribeSubnets", "SubnetId.1", "subnet-1", "InvalidSubnetID.NotFound"),
        ("DescribeInstanceTypes", "InstanceType.1", "c7i.huge", "InvalidInstanceType"),
        ("DescribeRegions", "DryRun", "true", "InvalidAction"),
    ] {
        assert_eq!(element(&ask(&server, &[("Action", action), (name, value)]).1, "Code"), code);
    }
}

#[test]
fn quota_is_told_unless_it_may_not_be_asked_for() {
    let server = started();
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "ServiceQuotasV1_20190624.GetServiceQuota")];
    let get = |service, code: &str| {
        let body = json!({ "ServiceCode": "ec2", "QuotaCode": code }).to_string();
        let (status, body) = send(&server, Signer { service, ..SIGNER }, &headers, &body);
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    assert_eq!(get("servicequotas", "L-34B43A08").1["Quota"]["Value"], 64.0);
    assert_eq!(get("servicequotas", "L-0").1["__type"], "NoSuchResourceException");
    assert_eq!(get("ec2", "L-34B43A08").1["__type"], "AuthFailure");
    server.set(&Settings { quotas_refused: Some(true), ..Settings::default() });
    let (status, body) = get("servicequotas", "L-34B43A08");
    assert_eq!((status, body["__type"].as_str()), (400, Some("AccessDeniedException")));
}

#[test]
fn console_is_told_in_lines() {
    let server = started();
    let id = element(&launch(&server, "one", SUBNET_A, &[]).1, "instanceId");
    let text = "cloud-init: the runner did not register\n".repeat(3);
    server.set_console(&id, &text);
    let output = element(&ask(&server, &[("Action", "GetConsoleOutput"), ("InstanceId", &id)]).1, "output");
    assert!(output.lines().count() > 1);
    assert_eq!(STANDARD.decode(output.replace('\n', "")).unwrap(), text.as_bytes());
}

#[test]
fn tests_elsewhere_tell_it_the_same_by_http() {
    let server = started();
    let tell = |what: &str, body: &serde_json::Value| {
        exchange(&server, &format!("POST /stand-in/{what} HTTP/1.1\r\nhost: stand-in\r\n"), &body.to_string())
    };
    let rule = json!([{ "action": "RunInstances", "code": "VcpuLimitExceeded", "market": "on-demand" }]);
    assert_eq!(tell("rules", &rule), (200, "null".into()));
    assert_eq!(element(&launch(&server, "one", SUBNET_A, &[]).1, "Code"), "VcpuLimitExceeded");
    assert_eq!(tell("settings", &json!({ "lag": { "looks": 3 }, "addresses": { SUBNET_A: 0 } })).0, 200);
    assert_eq!(element(&launch(&server, "one", SUBNET_A, &[]).1, "Code"), "InsufficientFreeAddressesInSubnet");
    assert_eq!(tell("rules", &json!([{ "acton": "" }])).0, 400);
    let log: serde_json::Value = serde_json::from_str(&tell("log", &json!(null)).1).unwrap();
    assert_eq!(log["counts"]["RunInstances"], 2);
    assert_eq!(log["requests"][0]["code"], "VcpuLimitExceeded");
}
