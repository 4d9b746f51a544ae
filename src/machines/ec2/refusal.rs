//! What a refusal of EC2 means. Nothing else goes by codes (AWS, "Error codes for the Amazon EC2 API"). Pure.
//!
//! The status is no guide: that there is no room is said with 500, as a fault of the server that another attempt could mend.

use crate::contract::cloud::Refusal;

/// What one attempt came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// It was refused; nothing was done.
    Refused(Refusal),
    /// There were too many requests; nothing was done.
    Slower(String),
    /// Nobody knows whether it was done.
    Unclear(String),
}

/// Of an answer that is no success. `error` is as [`super::answer::error`] reads it.
#[must_use]
pub fn said(status: u16, error: Option<(String, String)>) -> Said {
    let Some((code, words)) = error else {
        let why = format!("an answer with status {status} that is none of EC2's");
        return if status == 429 { Said::Slower(why) } else { Said::Unclear(why) };
    };
    let why = if words.is_empty() { code.clone() } else { format!("{code}: {words}") };
    match code.as_str() {
        "InsufficientInstanceCapacity"
        | "UnfulfillableCapacity"
        | "SpotMaxPriceTooLow"
        | "InsufficientFreeAddressesInSubnet"
        | "Unsupported"
        | "InsufficientVolumeCapacity"
        | "VolumeTypeNotAvailableInZone"
        | "InsufficientHostCapacity"
        | "InsufficientCapacityOnHost"
        | "InsufficientReservedInstanceCapacity" => Said::Refused(Refusal::NoRoom(why)),
        // A new account has no role yet for whoever makes spot instances; it can have the others.
        "MaxSpotInstanceCountExceeded" | "AuthFailure.ServiceLinkedRoleCreationNotPermitted" => {
            Said::Refused(Refusal::NoSpot(why))
        }
        "VcpuLimitExceeded" | "InstanceLimitExceeded" | "VolumeLimitExceeded" => Said::Refused(Refusal::Quota(why)),
        "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "EC2ThrottledException" => Said::Slower(why),
        "IdempotentInstanceTerminated" => Said::Refused(Refusal::Over(why)),
        "IdempotentParameterMismatch" => Said::Refused(Refusal::Mismatch(why)),
        "AuthFailure"
        | "UnauthorizedOperation"
        | "AccessDenied"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "RequestExpired"
        | "OptInRequired"
        | "PendingVerification"
        | "Blocked"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "UnrecognizedClientException" => Said::Refused(Refusal::Credential(why)),
        "InternalError" | "InternalFailure" | "ServerInternal" | "ServiceUnavailable" | "Unavailable" => {
            Said::Unclear(why)
        }
        other if other.starts_with("AuthFailure.") => Said::Refused(Refusal::Credential(why)),
        _ if status == 429 => Said::Slower(why),
        // What is not known here could be anything, if it is the server's own.
        _ if status >= 500 => Said::Unclear(why),
        _ => Said::Refused(Refusal::Configuration(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> Said {
        said(status, Some((code.into(), "words".into())))
    }

    #[test]
    fn codes_decide_and_not_the_status() {
        for status in [400, 500, 503] {
            let why = |code: &str| format!("{code}: words");
            for code in ["InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "Unsupported"] {
                assert_eq!(of(status, code), Said::Refused(Refusal::NoRoom(why(code))));
            }
            for code in ["RequestLimitExceeded", "Throttling"] {
                assert_eq!(of(status, code), Said::Slower(why(code)));
            }
            for code in ["InternalError", "Unavailable"] {
                assert_eq!(of(status, code), Said::Unclear(why(code)));
            }
            let code = "MaxSpotInstanceCountExceeded";
            assert_eq!(of(status, code), Said::Refused(Refusal::NoSpot(why(code))));
        }
        assert!(matches!(of(403, "UnauthorizedOperation"), Said::Refused(Refusal::Credential(_))));
        assert!(matches!(of(400, "VcpuLimitExceeded"), Said::Refused(Refusal::Quota(_))));
        assert!(matches!(of(400, "IdempotentParameterMismatch"), Said::Refused(Refusal::Mismatch(_))));
    }

    #[test]
    fn what_is_not_known_is_a_fault_of_the_request_or_nobody_knows() {
        assert!(matches!(of(400, "InvalidSubnetID.NotFound"), Said::Refused(Refusal::Configuration(_))));
        assert!(matches!(of(400, "SomethingNew"), Said::Refused(Refusal::Configuration(_))));
        assert!(matches!(of(503, "SomethingNew"), Said::Unclear(_)));
        for (status, is_slower) in [(200, false), (500, false), (502, false), (429, true), (403, false)] {
            assert_eq!(matches!(said(status, None), Said::Slower(_)), is_slower, "{status}");
        }
    }
}
