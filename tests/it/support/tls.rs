//! TLS with the HTTPS listener, for who wants to say the bytes himself.

use std::sync::Arc;

use super::https::Https;

pub async fn tls(door: &Https) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", door.port)).await.unwrap();
    tls_over(socket, door.data()).await
}

/// TLS with a listener that keeps its certificate in `data`.
pub async fn tls_over(
    socket: tokio::net::TcpStream,
    data: &std::path::Path,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    connector(data).connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

/// A port that speaks HTTP in the clear for the TLS listener behind it.
pub async fn tunnel(door: &Https) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = connector(door.data());
    let target = door.port;
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let socket = tokio::net::TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let mut tls = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut plain, &mut tls).await;
            });
        }
    });
    port
}

fn connector(data: &std::path::Path) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(data.join("tls/certificate.pem")).unwrap();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}
