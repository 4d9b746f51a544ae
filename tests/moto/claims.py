"""What the broker of a cloud and moto agree on: claims.py PROGRAM, in a Python that has moto and boto3; see run.

moto is an EC2 that nobody here wrote: it reads forms and signatures by code of its own, so that what the stand-in and the broker
could have misunderstood alike shows here. It checks signatures and the actions of policies, and no more than that: client tokens
mean nothing to it (the same one makes another instance each time), it refuses no type, image or size, has no room for ever, loses no
answer, and has no quotas of EC2. All of that is claimed against tests/stand-ins/ec2.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

import boto3

TESTS = pathlib.Path(__file__).resolve().parent.parent
# As all tests have it, in seconds.
HANGS = int(re.search(r"HANGS: Duration = Duration::from_secs\((\d+)\)", (TESTS / "support" / "times.rs").read_text())[1])
REGION = "us-east-1"
OWNER = "099720109477"
NAME = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-"
MACHINE_ID = "0123456789abcdef0123456789abcdef"
TAG = "github-runner-on-demand"
HOST = hashlib.sha256(f"{TAG} {MACHINE_ID}".encode()).hexdigest()
USER_DATA = "#!/bin/sh\n# + & = % * ~ é 🦀 hiddenhiddenhidden\n"
TOKEN = "0" * 40 + "-"
# Of everything that an instance needs; conditions are not looked at by moto.
ACTIONS = [
    "RunInstances",
    "CreateTags",
    "TerminateInstances",
    "ModifyInstanceMetadataOptions",
    "GetConsoleOutput",
    "DescribeInstances",
    "DescribeImages",
    "DescribeSubnets",
    "DescribeInstanceTypes",
]


def image(number, name, created, architecture="x86_64"):
    """An image, as moto's list has them."""
    return {
        "ami_id": f"ami-{number:017x}",
        "name": name,
        "description": "an image",
        "owner_id": OWNER,
        "public": True,
        "virtualization_type": "hvm",
        "architecture": architecture,
        "state": "available",
        "image_type": "machine",
        "image_location": f"{OWNER}/{name}",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/sda1",
        "sriov": "simple",
        "creation_date": created,
    }


IMAGES = [
    image(1, NAME + "20250102", "2025-01-02T03:04:05.000Z"),
    image(2, NAME + "20260102", "2026-01-02T03:04:05.000Z"),
    image(3, NAME.replace("amd64", "arm64") + "20260203", "2026-02-03T03:04:05.000Z", "arm64"),
    image(4, "something else", "2026-03-04T03:04:05.000Z"),
]
NEWEST = {"id": IMAGES[1]["ami_id"], "rootDevice": "/dev/sda1", "otherDevices": []}


def start(directory):
    """Starts moto; gives the process and its address once it answers."""
    images = directory / "images.json"
    images.write_text(json.dumps(IMAGES))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    # Neither a proxy nor an account of whoever runs this.
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("AWS_")}
    with open(directory / "moto.log", "wb") as log:
        process = subprocess.Popen(
            [pathlib.Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
            env=kept | {"MOTO_AMIS_PATH": str(images)},
            stdout=log,
            stderr=log,
        )
    end = time.monotonic() + HANGS
    while True:
        try:
            with urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=HANGS):
                return process, address
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                sys.exit((directory / "moto.log").read_text())
            time.sleep(0.05)


class Cloud:
    """An account at moto with a user for the broker, and the broker's files."""

    def __init__(self, program, directory, address):
        self.program, self.directory, self.address = program, directory, address
        # Whoever sets it up has all rights: nothing is checked yet.
        self.ec2, iam = (self.client(service, "fake", "fake") for service in ("ec2", "iam"))
        subnets = self.ec2.describe_subnets()["Subnets"]
        zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in subnets}
        self.subnets = [zones[zone] for zone in sorted(zones)][:2]
        vpc = subnets[0]["VpcId"]
        self.group = self.ec2.create_security_group(GroupName="runners", Description="runners", VpcId=vpc)["GroupId"]
        self.key = self.user(iam, "broker", ACTIONS)
        self.other_key = self.user(iam, "looker", [action for action in ACTIONS if action.startswith("Describe")])
        admin = self.user(iam, "admin", ["*"])
        # From now on each request has to be signed by somebody who may do it.
        request = urllib.request.Request(
            f"{address}/moto-api/reset-auth", data=b"0", headers={"content-type": "text/plain"}, method="POST"
        )
        urllib.request.urlopen(request, timeout=HANGS).close()
        self.ec2 = self.client("ec2", *admin)
        (directory / "machine-id").write_text(MACHINE_ID + "\n")

    def client(self, service, access, secret):
        keys = {"aws_access_key_id": access, "aws_secret_access_key": secret}
        return boto3.client(service, region_name=REGION, endpoint_url=self.address, **keys)

    def user(self, iam, name, actions):
        """Makes a user who may do this; gives its keys."""
        iam.create_user(UserName=name)
        allowed = [{"Effect": "Allow", "Action": [f"ec2:{action}" for action in actions], "Resource": "*"}]
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName=name, PolicyName="allowed", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def ask(self, verb, key=None, **changed):
        """Asks the broker; gives the outcome."""
        access, secret = key or self.key
        manifest = {
            "version": 1,
            "class": "pmu",
            "region": REGION,
            "endpoint": self.address,
            "quotas": self.address,
            "credential": "file",
            "architecture": "x86_64",
            "image": {"newest": {"owner": OWNER, "name": NAME + "*"}},
            "instanceTypes": ["c7i.xlarge", "m7i.xlarge"],
            "subnets": self.subnets,
            "securityGroups": [self.group],
            "spot": 4,
            "candidates": 8,
            "publicAddress": None,
            "volume": 40,
        } | changed
        (self.directory / "manifest").write_text(json.dumps(manifest))
        credentials = self.directory / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / "credential").write_text(
            f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
        )
        question = {"version": 1, "class": "pmu", "patience": 60, "verb": verb}
        files = ["--manifest", self.directory / "manifest", "--machine-id", self.directory / "machine-id"]
        told = subprocess.run(
            [self.program, "cloud-broker", *files],
            input=json.dumps(question) + "\n",
            env={"CREDENTIALS_DIRECTORY": str(credentials)},
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=True,
        )
        for text in (told.stdout, told.stderr):
            assert secret not in text and "hiddenhidden" not in text, text
        return json.loads(told.stdout)["outcome"]

    def place(self, candidate):
        return self.ask({"place": {"token": f"{TOKEN}{candidate}", "image": None}})["placed"]

    def launch(self, candidate, **changed):
        """Makes the machine of a candidate; gives the outcome."""
        launch = {
            "token": f"{TOKEN}{candidate}",
            "name": "od-1-build.pmu",
            "placement": self.place(candidate),
            "userData": USER_DATA,
        }
        return self.ask({"launch": launch}, **changed)

    def instances(self):
        """What moto has, by client token; those of others as well."""
        pages = self.ec2.get_paginator("describe_instances").paginate()
        all_of_them = [found for page in pages for some in page["Reservations"] for found in some["Instances"]]
        return {found.get("ClientToken"): found for found in all_of_them}

    def attribute(self, instance, name):
        return self.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute=name)


def kind(outcome):
    """The kind of a refusal and the first word of its text."""
    refused = outcome["refused"]
    return refused["kind"], refused["why"].split(":")[0]


def conditions(outcome):
    return {found["token"][len(TOKEN) :]: found["condition"] for found in outcome["listed"]}


def a_place_has_the_newest_image_of_its_architecture(cloud):
    for candidate, market in ((1, "spot"), (5, "onDemand")):
        assert cloud.place(candidate) == {
            "market": market,
            "instanceType": "c7i.xlarge",
            "subnet": cloud.subnets[0],
            "image": NEWEST,
        }
    by_id = cloud.ask({"place": {"token": f"{TOKEN}1", "image": None}}, image={"id": IMAGES[0]["ami_id"]})
    assert by_id["placed"]["image"]["id"] == IMAGES[0]["ami_id"]
    other = cloud.ask({"place": {"token": f"{TOKEN}1", "image": None}}, image={"id": IMAGES[2]["ami_id"]})
    assert other["refused"]["kind"] == "configuration", other


def a_machine_is_what_the_contract_says(cloud):
    assert cloud.launch(1) == "launched"
    assert cloud.launch(5, publicAddress=True) == "launched"
    for candidate in (1, 5):
        found = cloud.instances()[f"{TOKEN}{candidate}"]
        assert found.get("InstanceLifecycle") == ("spot" if candidate == 1 else None)
        assert (found["InstanceType"], found["ImageId"]) == ("c7i.xlarge", NEWEST["id"])
        assert found["SubnetId"] == cloud.subnets[0], found
        assert "KeyName" not in found and "IamInstanceProfile" not in found, found
        [interface] = found["NetworkInterfaces"]
        assert [group["GroupId"] for group in interface["Groups"]] == [cloud.group], found
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        assert tags == {TAG: HOST, "Name": "od-1-build.pmu"}, tags
        options = found["MetadataOptions"]
        assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1), options
        assert (options["HttpEndpoint"], options["InstanceMetadataTags"]) == ("enabled", "disabled"), options
        shutdown = cloud.attribute(found, "instanceInitiatedShutdownBehavior")
        assert shutdown["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
        [device] = found["BlockDeviceMappings"]
        assert (device["DeviceName"], device["Ebs"]["DeleteOnTermination"]) == ("/dev/sda1", True), device
        [volume] = cloud.ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"]])["Volumes"]
        assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (40, "gp3", True), volume
        assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]}[TAG] == HOST, volume


def user_data_arrives_byte_for_byte(cloud):
    encoded = cloud.attribute(cloud.instances()[f"{TOKEN}1"], "userData")["UserData"]["Value"]
    assert base64.b64decode(encoded, validate=True).decode() == USER_DATA


def only_machines_of_this_host_are_listed(cloud):
    tags = [{"Key": TAG, "Value": HOST[:-1] + "*"}]
    other = cloud.ec2.run_instances(
        ImageId=NEWEST["id"],
        MinCount=1,
        MaxCount=1,
        ClientToken=f"{TOKEN}7",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]
    assert conditions(cloud.ask("list")) == {"1": "alive", "5": "alive"}
    assert cloud.ask({"end": {"token": f"{TOKEN}7"}}) == "done"
    assert cloud.ask({"end": {"token": "*"}}) == "done"
    assert cloud.instances()[f"{TOKEN}7"]["State"]["Name"] == "running"
    cloud.ec2.terminate_instances(InstanceIds=[other["InstanceId"]])


def a_machine_that_is_closed_tells_nobody_what_it_was_told(cloud):
    assert cloud.ask({"seal": {"token": f"{TOKEN}1"}}) == "done"
    endpoints = {token: found["MetadataOptions"]["HttpEndpoint"] for token, found in cloud.instances().items()}
    assert (endpoints[f"{TOKEN}1"], endpoints[f"{TOKEN}5"]) == ("disabled", "enabled"), endpoints
    assert kind(cloud.ask({"seal": {"token": f"{TOKEN}2"}}))[0] == "passing"


def a_console_is_read(cloud):
    # A text of moto's own, the same for all.
    told = cloud.ask({"console": {"token": f"{TOKEN}1"}})["console"]
    assert "Linux version" in told and "\n" in told, told
    assert cloud.ask({"console": {"token": f"{TOKEN}2"}}) == {"console": ""}


def a_machine_that_ended_is_told_as_over(cloud):
    assert cloud.ask({"end": {"token": f"{TOKEN}1"}}) == "done"
    # Once more is fine.
    assert cloud.ask({"end": {"token": f"{TOKEN}1"}}) == "done"
    assert conditions(cloud.ask("list")) == {"1": "over", "5": "alive"}
    assert cloud.ask({"end": {"token": f"{TOKEN}5"}}) == "done"
    assert conditions(cloud.ask("list")) == {"1": "over", "5": "over"}


def a_list_of_many_pages_has_all_of_them(cloud):
    # More than a page of the broker has.
    tags = [{"Key": TAG, "Value": HOST}]
    cloud.ec2.run_instances(
        ImageId=NEWEST["id"],
        MinCount=450,
        MaxCount=450,
        ClientToken=f"{TOKEN}6",
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    all_of_them = cloud.ask("list")["listed"]
    assert sum(found["condition"] == "alive" for found in all_of_them) == 450, len(all_of_them)


def whoever_is_not_believed_is_told_so(cloud):
    access, secret = cloud.key
    before = len(cloud.instances())
    assert kind(cloud.ask("list", key=(access, secret[::-1])))[0] == "credential"
    assert kind(cloud.ask("list", key=("AKIAIOSFODNN7EXAMPLE", secret)))[0] == "credential"
    # One who may look, and make nothing.
    assert "listed" in cloud.ask("list", key=cloud.other_key)
    assert kind(cloud.launch(2, key=cloud.other_key)) == ("credential", "AccessDenied")
    assert len(cloud.instances()) == before


def what_does_not_exist_is_a_fault_of_the_configuration(cloud):
    missing = "sg-00000000000000fff"
    assert kind(cloud.launch(2, securityGroups=[missing])) == ("configuration", "InvalidGroup.NotFound")
    place = cloud.place(2) | {"subnet": "subnet-00000000000000fff"}
    launch = {"token": f"{TOKEN}2", "name": "x", "placement": place, "userData": USER_DATA}
    subnets = [place["subnet"], cloud.subnets[0]]
    assert kind(cloud.ask({"launch": launch}, subnets=subnets)) == ("configuration", "InvalidSubnetID.NotFound")


def a_check_finds_what_is_there_and_what_is_not(cloud):
    def told(**changed):
        before = len(cloud.instances())
        all_of_it = cloud.ask("check", **changed)["checked"]
        assert len(cloud.instances()) == before
        return [(found["what"], found["good"]) for found in all_of_it]

    # moto knows no quotas of EC2.
    markets = [("rights", True), ("rights", True), ("quota", None), ("quota", None)]
    assert told() == [("types", True), ("subnets", True), ("subnets", True), ("image", True), *markets]
    assert told(instanceTypes=["c7g.xlarge", "c7i.xlarge"])[0] == ("types", False)
    assert told(image={"id": IMAGES[2]["ami_id"]})[3] == ("image", False)
    assert ("subnets", False) in told(subnets=["subnet-00000000000000fff", cloud.subnets[0]])
    rights = [good for what, good in told(key=cloud.other_key) if what == "rights"]
    assert rights == [False, False], rights


# In this order: each has what those before it made.
CLAIMS = [
    a_place_has_the_newest_image_of_its_architecture,
    a_machine_is_what_the_contract_says,
    user_data_arrives_byte_for_byte,
    only_machines_of_this_host_are_listed,
    a_machine_that_is_closed_tells_nobody_what_it_was_told,
    a_console_is_read,
    a_machine_that_ended_is_told_as_over,
    whoever_is_not_believed_is_told_so,
    what_does_not_exist_is_a_fault_of_the_configuration,
    a_check_finds_what_is_there_and_what_is_not,
    a_list_of_many_pages_has_all_of_them,
]


def main():
    passed = 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        process, address = start(directory)
        try:
            cloud = Cloud(sys.argv[1], directory, address)
            for claim in CLAIMS:
                try:
                    claim(cloud)
                except Exception:
                    print(f"{claim.__name__}: failed")
                    traceback.print_exc(file=sys.stdout)
                else:
                    print(f"{claim.__name__}: ok")
                    passed += 1
        finally:
            process.kill()
            process.wait()
    print(f"{passed} passed, {len(CLAIMS) - passed} failed")
    sys.exit(passed < len(CLAIMS))


main()
