//! A certificate authority for one run: root, intermediate and leaf, as AWS's own endpoints have them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// RSA of 2,048 bits, the size of the leaves of AWS's endpoints. It protects nothing.
const KEY: &str = include_str!("../../hookwell-sandbox/src/test-keys/rsa.pem");

/// Paths at which Linux systems keep their trusted root certificates.
const SYSTEM_ROOTS: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

/// The certificate of the stubs and the root that signed it.
#[derive(Debug)]
pub(crate) struct Authority {
    /// TLS settings of a stub, with its certificate.
    pub(crate) server: Arc<ServerConfig>,
    /// The bundle that every target trusts: the system's roots, whose reading is a part of a cold start, and ours.
    pub(crate) bundle: PathBuf,
    /// Our root alone, for runtimes that add one to those built in.
    pub(crate) root: PathBuf,
}

impl Authority {
    /// Makes an authority, with its files in `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let key = || KeyPair::from_pem_and_sign_algo(KEY, &PKCS_RSA_SHA256);
        let authority = |name: &str| -> Result<CertificateParams> {
            let mut params = CertificateParams::new(Vec::new())?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            Ok(params)
        };
        let root = CertifiedIssuer::self_signed(authority("Hookwell bench root")?, key()?)?;
        let between =
            CertifiedIssuer::signed_by(authority("Hookwell bench intermediate")?, key()?, &root)?;
        let leaf_key = key()?;
        let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        leaf.distinguished_name.push(DnType::CommonName, "stub");
        let leaf = leaf.signed_by(&leaf_key, &between)?;

        let chain = vec![leaf.der().clone(), between.der().clone()];
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;

        let system = SYSTEM_ROOTS
            .iter()
            .find_map(|path| std::fs::read_to_string(path).ok());
        let (bundle, alone) = (folder.join("roots.pem"), folder.join("root.pem"));
        std::fs::write(&alone, root.pem())?;
        std::fs::write(&bundle, system.unwrap_or_default() + &root.pem())?;
        Ok(Self {
            server: Arc::new(server),
            bundle,
            root: alone,
        })
    }
}
