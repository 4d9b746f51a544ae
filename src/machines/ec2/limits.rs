//! What could keep instances from being made: types, addresses, and what the account may have. For `doctor`.

use serde::Deserialize;

use super::answer::{self, Element};
use super::ask::{Asker, Service};
use super::form::Form;
use super::refusal::Said;
use super::sign::Scope;
use crate::contract::cloud::Refusal;

/// A type of instances.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Type {
    /// Such as `c7i.xlarge`.
    pub name: String,
    /// As EC2 writes them.
    pub architectures: Vec<String>,
    /// Virtual processors.
    pub processors: u64,
}

/// A subnet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Addresses that are free.
    pub free: u64,
}

/// What is known of types.
///
/// # Errors
///
/// [`Refusal::Configuration`] if one of them does not exist in this region.
pub fn types(asker: &Asker<'_>, names: &[String]) -> Result<Vec<Type>, Refusal> {
    let form = Form::of("DescribeInstanceTypes").with_list("InstanceType", names.iter().map(String::as_str));
    let body = asker.ask(&form)?;
    let read = || -> Result<Vec<Type>, String> {
        let document = answer::parse(&body)?;
        let root = Element(document.root_element());
        root.need("instanceTypeSet")?;
        root.items("instanceTypeSet")
            .map(|found| {
                let processor = found.need("processorInfo")?;
                let all = processor.items("supportedArchitectures");
                Ok(Type {
                    name: found.text("instanceType")?.into(),
                    architectures: all.filter_map(|item| Some(item.0.text()?.trim().to_owned())).collect(),
                    processors: found.need("vCpuInfo")?.number("defaultVCpus")?,
                })
            })
            .collect()
    };
    read().map_err(Refusal::Passing)
}

/// What is known of subnets.
///
/// # Errors
///
/// [`Refusal::Configuration`] if one of them does not exist.
pub fn subnets(asker: &Asker<'_>, ids: &[String]) -> Result<Vec<Subnet>, Refusal> {
    let body = asker.ask(&Form::of("DescribeSubnets").with_list("SubnetId", ids.iter().map(String::as_str)))?;
    let read = || -> Result<Vec<Subnet>, String> {
        let document = answer::parse(&body)?;
        let root = Element(document.root_element());
        root.need("subnetSet")?;
        root.items("subnetSet")
            .map(|found| {
                let id = answer::id(found.text("subnetId")?, "subnet")?.to_owned();
                Ok(Subnet { id, free: found.number("availableIpAddressCount")? })
            })
            .collect()
    };
    read().map_err(Refusal::Passing)
}

/// How many virtual processors the account may have at once, by the code of its quota in the service of quotas; `None` if this
/// credential may not know, or nobody says.
#[must_use]
pub fn quota(asker: &Asker<'_>, endpoint: &str, code: &str) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        quota: Quota,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Quota {
        value: f64,
    }
    let service = Service { endpoint, scope: Scope { region: asker.service.scope.region, service: "servicequotas" } };
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "ServiceQuotasV1_20190624.GetServiceQuota")];
    let body = serde_json::json!({ "ServiceCode": "ec2", "QuotaCode": code }).to_string();
    let answer: Result<Vec<u8>, Said> = asker.once(service, &headers, &body);
    let value = serde_json::from_slice::<Answer>(&answer.ok()?).ok()?.quota.value;
    // More than anybody has is no number of processors.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a small number without a sign")]
    (0.0..=1e9).contains(&value).then_some(value as u64)
}
