use super::super::fake::{Script, credential, good, refused};
use super::*;

fn image(id: u32, date: &str, architecture: &str, state: &str) -> String {
    format!(
        "<item><imageId>ami-{id:017x}</imageId><creationDate>{date}</creationDate><architecture>{architecture}</architecture><imageState>{state}</imageState><rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/sda1</deviceName><ebs/></item><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item><item><deviceName>/dev/sdc</deviceName><ebs/></item></blockDeviceMapping></item>"
    )
}

fn answer(images: &str, next: &str) -> String {
    format!("<DescribeImagesResponse><imagesSet>{images}</imagesSet>{next}</DescribeImagesResponse>")
}

const NEWEST: Wanted<'_> = Wanted::Newest { owner: "099720109477", name: "ubuntu/*" };

#[test]
fn the_newest_that_fits_is_taken_from_whichever_page() {
    let first = [
        image(1, "2026-10-01T00:00:00.000Z", "x86_64", "available"),
        image(2, "2026-11-20T00:00:00.000Z", "x86_64", "pending"),
        image(3, "2026-11-21T00:00:00.000Z", "arm64", "available"),
    ];
    let second = image(4, "2026-11-01T00:00:00.000Z", "x86_64", "available");
    let script = Script::of([good(&answer(&first.concat(), "<nextToken>n</nextToken>")), good(&answer(&second, ""))]);
    let credential = credential();
    let found = find(&script.asker(&credential), NEWEST, "x86_64").unwrap();
    assert_eq!(found.id, "ami-00000000000000004");
    assert_eq!((found.root_device.as_str(), found.other_devices), ("/dev/sda1", vec!["/dev/sdc".to_owned()]));
    assert!(script.asked.borrow()[0].contains("Owner.1=099720109477&Filter.1.Name=name&Filter.1.Value.1=ubuntu%2F%2A"));
}

#[test]
fn no_image_is_a_matter_of_configuration_and_no_answer_is_not() {
    let credential = credential();
    for (wanted, script) in [
        (NEWEST, Script::of([good(&answer("", ""))])),
        (Wanted::Id("ami-00000000000000003"), Script::of([good(&answer(&image(3, "2026", "arm64", "available"), ""))])),
        (Wanted::Id("ami-00000000000000003"), Script::of([refused(400, "InvalidAMIID.NotFound")])),
    ] {
        let refusal = find(&script.asker(&credential), wanted, "x86_64").unwrap_err();
        assert!(matches!(refusal, Refusal::Configuration(_)), "{refusal:?}");
    }
    let script = Script::of([good("<html/>")]);
    assert!(matches!(find(&script.asker(&credential), NEWEST, "x86_64"), Err(Refusal::Passing(_))));
}
