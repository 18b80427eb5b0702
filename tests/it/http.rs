//! Small servers on loopback that end with the test, and one of them: git's smart http, which runs `git http-backend`
//! as CGI.

use crate::env::TestEnvironment;
use std::{
    collections::HashMap,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How the server treats who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As a good server does.
    Plain,
    /// It does what a push asks for, and breaks off before it says so.
    LosesAnswers,
    /// It breaks off before a push is looked at.
    LosesPushes,
    /// It takes the request and says nothing for so long.
    Stalls(Duration),
    /// It answers with this status.
    Fails(u16),
}

/// Whoever listens on an ephemeral port of loopback, each connection in a thread of its own. It ends with the test.
pub struct Loopback {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Gives every connection to `answer`.
    pub fn serve(answer: impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Loopback {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, answer) = (Arc::new(AtomicBool::new(false)), Arc::new(answer));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, Ok(stream)) = (Arc::clone(&answer), stream) else { continue };
                // Whoever asks may break off, as a process does that a test kills.
                thread::spawn(move || drop(answer(&stream)));
            }
        });
        Loopback { address, stop, thread: Some(thread) }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes it, so that it looks.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A server of git's.
pub struct Server {
    loopback: Loopback,
    shared: Arc<Shared>,
}

struct Shared {
    backend: PathBuf,
    root: PathBuf,
    environment: Vec<(OsString, OsString)>,
    manner: Mutex<Manner>,
    pushes: AtomicUsize,
}

impl Server {
    /// Serves the bare repositories below `root`.
    pub fn start(env: &TestEnvironment, root: &Path) -> Server {
        let exec_path = env.command("git", root).arg("--exec-path").output().unwrap().stdout;
        let backend = Path::new(String::from_utf8(exec_path).unwrap().trim()).join("git-http-backend");
        let environment = env.command("git", root);
        let environment = environment.get_envs().filter_map(|(name, value)| Some((name.into(), value?.into())));
        let shared = Arc::new(Shared {
            backend,
            root: root.to_owned(),
            environment: environment.collect(),
            manner: Mutex::new(Manner::Plain),
            pushes: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        Server { loopback: Loopback::serve(move |stream| serving.answer(stream)), shared }
    }

    /// The URL of the repository `name`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.loopback.address)
    }

    /// Treats everybody so from now on.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// How many pushes it was asked for.
    pub fn pushes(&self) -> usize {
        self.shared.pushes.load(Ordering::Relaxed)
    }
}

/// What somebody asks for.
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Without the query.
    pub path: String,
    query: String,
    headers: HashMap<String, String>,
    /// As it was sent, in one piece.
    pub body: Vec<u8>,
}

impl Shared {
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        let request = Request::read(stream)?;
        let is_push = request.method == "POST" && request.path.ends_with("/git-receive-pack");
        self.pushes.fetch_add(usize::from(is_push), Ordering::Relaxed);
        let manner = *self.manner.lock().unwrap();
        match manner {
            Manner::LosesPushes if is_push => return Ok(()),
            Manner::Stalls(time) => thread::sleep(time),
            Manner::Fails(status) => {
                return write!(&*stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
            _ => {}
        }
        let answer = self.run(request)?;
        if manner == Manner::LosesAnswers && is_push {
            return Ok(());
        }
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
        let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        let mut out = format!("HTTP/1.1 {status}\r\n");
        for line in head.lines().filter(|line| !line.starts_with("Status: ")) {
            out.push_str(line);
            out.push_str("\r\n");
        }
        out.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
        let mut stream = stream;
        stream.write_all(out.as_bytes())?;
        stream.write_all(body)
    }

    fn run(&self, request: Request) -> io::Result<Vec<u8>> {
        let mut command = Command::new(&self.backend);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        command.env("REQUEST_METHOD", &request.method).env("PATH_INFO", &request.path);
        command.env("QUERY_STRING", &request.query).env("CONTENT_LENGTH", request.body.len().to_string());
        command.env("REMOTE_ADDR", "127.0.0.1").env("SERVER_PROTOCOL", "HTTP/1.1");
        for (header, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "HTTP_GIT_PROTOCOL"),
            ("git-protocol", "GIT_PROTOCOL"),
        ] {
            if let Some(value) = request.headers.get(header) {
                command.env(variable, value);
            }
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let feeding = thread::spawn(move || stdin.write_all(&request.body));
        let answer = child.wait_with_output()?.stdout;
        // It need not read all that it was given.
        drop(feeding.join());
        Ok(answer)
    }
}

impl Request {
    /// Reads the one that this server answers on a connection.
    pub fn read(mut stream: &TcpStream) -> io::Result<Request> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut input = BufReader::new(stream);
        let first = line(&mut input)?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = HashMap::new();
        loop {
            let line = line(&mut input)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        if headers.get("expect").is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = match headers.get("content-length").and_then(|length| length.parse().ok()) {
            _ if headers.get("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) => {
                chunks(&mut input)?
            }
            Some(length) => read_exactly(&mut input, length)?,
            None => Vec::new(),
        };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(Request { method, path: path.into(), query: query.into(), headers, body })
    }
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match input.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn read_exactly(input: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(input)?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        body.extend(read_exactly(input, length)?);
        line(input)?;
        if length == 0 {
            return Ok(body);
        }
    }
}
