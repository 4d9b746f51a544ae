//! TLS with a certificate of the client, to a server that may have signed its own.
//!
//! A pinned certificate is the very one that the server has to show, by whatever name it is reached: servers of Incus and LXD
//! sign their own, for a host name that nobody else knows. With a pin no authority beside it is believed; without one the usual
//! rules hold. No error shows anything of a key.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use super::roots::trusted;

/// Who the client is and whom it believes, as PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate of the client, and what it was signed with.
    pub certificate: &'a [u8],
    /// Its key.
    pub key: &'a [u8],
    /// The certificate that the server has to have.
    pub pinned: Option<&'a [u8]>,
    /// Authorities to believe, unless a certificate is pinned. Without either those of the system are.
    pub authorities: Option<&'a [u8]>,
}

/// Not the key.
impl fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// What cannot be used of an [`Identity`], and why: the end of a sentence.
#[derive(Debug, Eq, PartialEq)]
pub enum Unusable {
    /// The certificate of the client.
    Certificate(String),
    /// Its key.
    Key(String),
    /// The pinned certificate.
    Pinned(String),
    /// The authorities.
    Authorities(String),
    /// What the system trusts: a whole sentence.
    System(String),
}

/// Makes secure what is connected.
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads what `identity` holds, and if need be what the system trusts.
    pub fn new(identity: &Identity<'_>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(identity.certificate).map_err(Unusable::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|_| Unusable::Key(no_key(identity.key)))?;
        let verifier = Verifier::of(identity, variable, &provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Unusable::System("No version of TLS can be spoken".into()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    Unusable::Key("it is not the key of the client's certificate".into())
                }
                _ => Unusable::Key("it is of a kind that cannot be used: RSA, P-256, P-384 and Ed25519 can".into()),
            })?;
        Ok(Self(Arc::new(config)))
    }
}

/// All certificates of a text.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("there is no certificate in it (BEGIN CERTIFICATE)".into()),
        Err(_) => Err("it is no PEM, or damaged".into()),
    }
}

/// Why there is no key in a text. Tells nothing else of it.
fn no_key(pem: &[u8]) -> String {
    let is_encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
    if is_encrypted {
        "it is protected by a passphrase, which nobody can be asked for".into()
    } else {
        "there is no key in it (BEGIN PRIVATE KEY), or it is damaged".into()
    }
}

/// A host of an address as TLS has it; nothing if it is neither a name nor an address.
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned()).ok()
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Believes the pinned certificates, and what the roots have signed.
#[derive(Debug)]
struct Verifier {
    pinned: Vec<CertificateDer<'static>>,
    by_roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn of(
        identity: &Identity<'_>,
        variable: impl Fn(&str) -> Option<String>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Unusable> {
        let pinned = identity.pinned.map(certificates).transpose().map_err(Unusable::Pinned)?;
        let authorities = identity.authorities.map(certificates).transpose().map_err(Unusable::Authorities)?;
        let roots = match (&pinned, authorities) {
            // It may also be that of an authority.
            (Some(pinned), _) => pinned.clone(),
            (None, Some(authorities)) => authorities,
            (None, None) => trusted(variable).map_err(Unusable::System)?,
        };
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots);
        // Fails only where nothing is in the store.
        let by_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build().ok();
        Ok(Self { pinned: pinned.unwrap_or_default(), by_roots, provider: Arc::clone(provider) })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.by_roots {
            Some(roots) => roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Secure>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Err(Error::ConnectionFailed) };
        // A proxy is spoken to in the clear: what goes through it is made secure here.
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = server_name(host).ok_or(Error::HostNotFound)?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let mut transport = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        transport.set_timeout(details.timeout);
        connection.complete_io(&mut transport)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(Secure { buffers, stream: StreamOwned::new(connection, transport) })))
    }
}

/// A secure connection.
pub struct Secure {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secure").finish_non_exhaustive()
    }
}

impl Transport for Secure {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = self.stream.read(input)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    const NAME: &str = "incus.example";

    /// Whether the certificate `shown` of the server is believed.
    fn believes(shown: &rcgen::Certificate, pinned: Option<&[u8]>, authorities: Option<&[u8]>) -> bool {
        let provider = Arc::new(ring::default_provider());
        let identity = Identity { certificate: b"", key: b"", pinned, authorities };
        let verifier = Verifier::of(&identity, |_| panic!("the system is not asked"), &provider).unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        verifier.verify_server_cert(shown.der(), &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn beside_a_pinned_certificate_no_authority_is_believed() {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let signed = || {
            let parameters = CertificateParams::new([NAME.into()]).unwrap();
            parameters.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap()
        };
        let (ours, other) = (signed(), signed());
        let (authority, pin) = (authority.pem(), ours.pem());
        let (authority, pin) = (Some(authority.as_bytes()), Some(pin.as_bytes()));
        // The authority is one indeed.
        assert!(believes(&other, None, authority));
        assert!(believes(&ours, pin, authority));
        assert!(!believes(&other, pin, authority));
        assert!(!believes(&other, pin, None));
        // Where it is what is pinned, it is believed as one.
        assert!(believes(&other, authority, None));
    }
}
