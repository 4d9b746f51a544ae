//! The image of a class: one by its id, or the newest of an owner.

use super::answer::{self, Element};
use super::ask::Asker;
use super::form::Form;
use crate::contract::cloud::{Image, Refusal};

/// Which image is meant.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// This one.
    Id(&'a str),
    /// The newest of this owner whose name fits; of another owner anybody's could.
    Newest {
        /// An account.
        owner: &'a str,
        /// With `*` and `?`.
        name: &'a str,
    },
}

/// An image, and when it was made.
type Dated = (String, Image);

/// More than an owner has of one name.
const MOST_PAGES: usize = 20;

/// Looks for it. `architecture` is as EC2 writes it.
///
/// # Errors
///
/// [`Refusal::Configuration`] if there is none that would do.
pub fn find(asker: &Asker<'_>, wanted: Wanted<'_>, architecture: &str) -> Result<Image, Refusal> {
    let form = Form::of("DescribeImages");
    let form = match wanted {
        Wanted::Id(id) => form.with("ImageId.1", id),
        Wanted::Newest { owner, name } => {
            let filters = [
                ("name", name),
                ("architecture", architecture),
                ("state", "available"),
                ("virtualization-type", "hvm"),
                ("root-device-type", "ebs"),
            ];
            filters.iter().zip(1..).fold(form.with("Owner.1", owner), |form, ((filter, value), at)| {
                form.with(&format!("Filter.{at}.Name"), filter).with(&format!("Filter.{at}.Value.1"), value)
            })
        }
    };
    let mut newest: Option<Dated> = None;
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let form = next.iter().fold(form.clone(), |form, token| form.with("NextToken", token));
        let body = asker.ask(&form)?;
        let (found, following) = page(&body, architecture).map_err(Refusal::Passing)?;
        newest = newest.into_iter().chain(found).max_by(|(a, _), (b, _)| a.cmp(b));
        next = following;
        if next.is_none() {
            break;
        }
    }
    newest.map(|(_, image)| image).ok_or_else(|| {
        Refusal::Configuration(match wanted {
            Wanted::Id(id) => format!("image {id} is not there, is not available, or is none of {architecture}"),
            Wanted::Newest { owner, name } => {
                format!("owner {owner} has no available image of {architecture} that is called {name}")
            }
        })
    })
}

/// What a page has: images that would do with the time of their making, and the token of the next one.
fn page(body: &[u8], architecture: &str) -> Result<(Vec<Dated>, Option<String>), String> {
    let document = answer::parse(body)?;
    let root = Element(document.root_element());
    root.need("imagesSet")?;
    let mut found = vec![];
    for image in root.items("imagesSet") {
        let fits = image.text("imageState")? == "available" && image.text("architecture")? == architecture;
        let Some(root_device) = image.text("rootDeviceName").ok().filter(|_| fits) else { continue };
        let device = |mapping: Element<'_>| {
            let is_disk = mapping.child("ebs").is_some();
            mapping.text("deviceName").ok().filter(|name| is_disk && *name != root_device).map(str::to_owned)
        };
        let other_devices = image.items("blockDeviceMapping").filter_map(device).collect();
        let id = answer::id(image.text("imageId")?, "ami")?.to_owned();
        let image_found = Image { id, root_device: root_device.into(), other_devices };
        found.push((image.text("creationDate")?.to_owned(), image_found));
    }
    Ok((found, answer::next_page(root)?))
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
