//! A small HTTP server that does what a test asks, and counts connections.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// What each request is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// This text, byte by byte as it is.
    Text(String),
    /// Nothing, ever.
    Hold,
    /// A body that goes on for ever.
    Drip,
    /// A field of the head that goes on for ever.
    LongHead,
    /// Half of what the head says.
    Half,
    /// 302 to there.
    Redirect(String),
}

impl Answer {
    pub(crate) fn ok(body: &str) -> Self {
        Self::Text(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }
}

#[derive(Default)]
struct State {
    connections: usize,
    peak: usize,
    heads: Vec<String>,
}

/// A server that runs until the test ends.
pub(crate) struct Served {
    port: u16,
    state: Arc<Mutex<State>>,
    open: watch::Sender<usize>,
}

impl Served {
    pub(crate) async fn new(answer: Answer) -> Self {
        Self::start(answer, None, false).await
    }

    /// Closes each connection after one answer.
    pub(crate) async fn closing(answer: Answer) -> Self {
        Self::start(answer, None, true).await
    }

    pub(crate) async fn secure(answer: Answer, authority: &Authority, name: &str) -> Self {
        Self::start(answer, Some(authority.acceptor(name)), false).await
    }

    async fn start(answer: Answer, tls: Option<TlsAcceptor>, once: bool) -> Self {
        let (port, listeners) = listeners().await;
        let state = Arc::new(Mutex::new(State::default()));
        let (open, _) = watch::channel(0);
        for listener in listeners {
            let (answer, tls) = (answer.clone(), tls.clone());
            tokio::spawn(accept(listener, answer, tls, once, Arc::clone(&state), open.clone()));
        }
        Self { port, state, open }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many there were.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// How many there were at once.
    pub(crate) fn peak(&self) -> usize {
        self.state.lock().unwrap().peak
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    /// Waits until there are that many connections.
    pub(crate) async fn wait_open(&self, count: usize) {
        self.open.subscribe().wait_for(|open| *open == count).await.expect("the server");
    }
}

/// One port on two addresses of this machine.
async fn listeners() -> (u16, [TcpListener; 2]) {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = first.local_addr().map(|address| address.port()).expect("an address");
        // Where another test has it there, the next one may be free on both.
        if let Ok(second) = TcpListener::bind(("127.0.0.2", port)).await {
            return (port, [first, second]);
        }
    }
}

async fn accept(
    listener: TcpListener,
    answer: Answer,
    tls: Option<TlsAcceptor>,
    once: bool,
    state: Arc<Mutex<State>>,
    open: watch::Sender<usize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        open.send_modify(|open| *open += 1);
        {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            state.peak = state.peak.max(*open.borrow());
        }
        let (answer, tls) = (answer.clone(), tls.clone());
        let (state, open) = (Arc::clone(&state), open.clone());
        tokio::spawn(async move {
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &answer, once, &state).await;
                    }
                }
                None => serve(stream, &answer, once, &state).await,
            }
            open.send_modify(|open| *open -= 1);
        });
    }
}

async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    answer: &Answer,
    once: bool,
    state: &Mutex<State>,
) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    while let Some(head) = request(&mut reading).await {
        state.lock().unwrap().heads.push(head);
        let text = match answer {
            Answer::Text(text) => text.clone(),
            Answer::Redirect(to) => {
                format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Answer::Half => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned(),
            Answer::Hold => {
                let mut rest = Vec::new();
                let _closed = reading.read_to_end(&mut rest).await;
                return;
            }
            Answer::Drip | Answer::LongHead => {
                let (begin, more) = match answer {
                    Answer::Drip => ("HTTP/1.1 200 OK\r\n\r\n", "drip"),
                    _ => ("HTTP/1.1 200 OK\r\nx: ", "long"),
                };
                let _closed = writing.write_all(begin.as_bytes()).await;
                while writing.write_all(more.as_bytes()).await.is_ok() {
                    tokio::task::yield_now().await;
                }
                return;
            }
        };
        if writing.write_all(text.as_bytes()).await.is_err() || once {
            return;
        }
        if matches!(answer, Answer::Half) {
            return;
        }
    }
}

/// Reads a request to its end. Its head; none at the end of the connection.
async fn request(reading: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = format!("{head}\r\n");
            let length = head.to_lowercase();
            let length =
                length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
            if body.len() >= length && (!chunked || body.ends_with("0\r\n\r\n")) {
                return Some(head);
            }
        }
        let count = reading.read_buf(&mut bytes).await.ok()?;
        if count == 0 {
            return None;
        }
    }
}

/// An authority that the system does not know.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
