//! The programs that are compared, and what each of them must do for a request.

use std::path::{Path, PathBuf};

use crate::stub::{Calls, Stub};
use crate::traffic::SECRET;

/// Which of the two functions a target does the work of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// From a webhook to the queue.
    Ingest,
    /// From the queue to the tables.
    Process,
}

impl Function {
    /// Name of the function.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Process => "process",
        }
    }
}

/// A program.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Name of the target in tables.
    pub(crate) name: &'static str,
    /// The function that the program implements.
    pub(crate) function: Function,
    /// The program and its arguments.
    pub(crate) command: Vec<PathBuf>,
    /// Variables that are added to the common environment or replace one in it.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Files that a user would upload.
    pub(crate) artifact: Vec<PathBuf>,
    /// Calls to AWS that one good request or batch causes.
    pub(crate) calls: Calls,
}

fn calls(named: &[(&str, u64)]) -> Calls {
    let named = named.iter();
    named
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

impl Target {
    fn new(
        name: &'static str,
        function: Function,
        command: Vec<PathBuf>,
        artifact: Vec<PathBuf>,
    ) -> Self {
        Self {
            name,
            function,
            command,
            environment: Vec::new(),
            artifact,
            calls: match function {
                Function::Ingest => calls(&[("PutItem", 1), ("SendMessage", 1)]),
                // A batch of ten: the documents and the ends of the records.
                Function::Process => calls(&[("PutItem", 10), ("UpdateItem", 10)]),
            },
        }
    }

    /// Name of the target as a part of a file name.
    pub(crate) fn file_name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.name.chars().map(plain).collect()
    }
}

/// Setup that all targets of a run share.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The folder for files of the run.
    pub(crate) folder: PathBuf,
    /// The services.
    pub(crate) stub: Stub,
    /// The roots that the targets trust.
    pub(crate) bundle: PathBuf,
    /// The stub's root alone.
    pub(crate) root: PathBuf,
}

impl Setting {
    /// Environment variables of a target, without those of the Runtime API.
    pub(crate) fn environment(&self, target: &Target) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.display().to_string();
        let queue = format!("{}/000000000000/hookwell", self.stub.sqs);
        let mut variables = vec![
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".repeat(8)),
            ("AWS_SESSION_TOKEN", "bench".repeat(160)), // as long as Lambda's
            ("AWS_ENDPOINT_URL_DYNAMODB", self.stub.dynamodb.clone()),
            ("AWS_ENDPOINT_URL_SQS", self.stub.sqs.clone()),
            ("AWS_CA_BUNDLE", path(&self.bundle)),
            ("NODE_EXTRA_CA_CERTS", path(&self.root)),
            ("LANG", "C.UTF-8".to_owned()),
            ("HOOKWELL_EVENTS_TABLE", "events".to_owned()),
            ("HOOKWELL_DOCUMENTS_TABLE", "documents".to_owned()),
            ("HOOKWELL_QUEUE_URL", queue.clone()),
            ("HOOKWELL_DEAD_LETTER_QUEUE_URL", queue),
            ("HOOKWELL_SECRET_RESOURCE", SECRET.to_owned()),
            ("HOOKWELL_SECRET_GENERIC", SECRET.to_owned()),
        ];
        variables.extend(target.environment.iter().cloned());
        variables
    }
}

/// Folders of the programs.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// The floors.
    pub(crate) floors: &'a Path,
    /// The functions as they are released.
    pub(crate) functions: &'a Path,
    /// Another build of the functions.
    pub(crate) beside: Option<&'a Path>,
    /// The folder that `peers/install` filled.
    pub(crate) peers: &'a Path,
}

/// The variable that names a sources file in place of the built-in one.
pub(crate) const SOURCES_FILE: &str = "HOOKWELL_SOURCES_FILE";

/// The names that bounds and charts refer to.
pub(crate) const HELLO: &str = "floor: lambda_runtime hello";
pub(crate) const NO_SDK: &str = "floor: no SDK";
pub(crate) const AT_ONCE: &str = "floor: no SDK, at once";
pub(crate) const OURS: &str = "hookwell";
pub(crate) const BESIDE: &str = "hookwell, the other build";
pub(crate) const GO: &str = "Go 1.19, SDK of 2022";

impl Places<'_> {
    /// A floor.
    fn floor(&self, name: &'static str, file: &str) -> Target {
        let binary = self.floors.join(file);
        Target::new(name, Function::Ingest, vec![binary.clone()], vec![binary])
    }

    /// A function of ours, of the build in a folder.
    fn ours(name: &'static str, function: Function, folder: &Path) -> Target {
        let binary = folder.join(function.name());
        let mut target = Target::new(name, function, vec![binary.clone()], vec![binary]);
        if function == Function::Process {
            // The records of the batch are read first.
            target.calls.insert("BatchGetItem".to_owned(), 1);
        }
        target
    }

    /// A bundle under AWS's runtime client for Node.
    fn node(&self, name: &'static str, function: Function, handler: &str) -> Target {
        let command = ["node/run", handler].map(|part| self.peers.join(part));
        let bundle = self.peers.join(format!("node/bundle/{handler}.mjs"));
        Target::new(name, function, command.into(), vec![bundle])
    }

    /// A module under AWS's runtime client for Python. boto3 comes with Lambda's own runtime.
    fn python(&self, name: &'static str, function: Function, handler: &str) -> Target {
        let command = ["python/run", handler].map(|part| self.peers.join(part));
        let module = self.peers.join(format!("python/handlers/{handler}.py"));
        Target::new(name, function, command.into(), vec![module])
    }
}

/// Every target that is there. Peers that are not installed are left out.
pub(crate) fn all(places: &Places<'_>) -> Vec<Target> {
    // The library's own record is written before the work and again after it.
    let three = calls(&[("PutItem", 1), ("SendMessage", 1), ("UpdateItem", 1)]);
    let (ingest, process) = (Function::Ingest, Function::Process);
    let ours = |function| Some(Places::ours(OURS, function, places.functions));
    let beside = |function| Some(Places::ours(BESIDE, function, places.beside?));
    let no_sdk = places.floor(NO_SDK, "floor-no-sdk");
    let go = places.peers.join("go/ingest");
    let powertools = places.python("Python, Powertools", ingest, "ingest_powertools");
    let targets = [
        Some(Target {
            calls: Calls::new(),
            ..places.floor(HELLO, "floor-hello")
        }),
        Some(no_sdk.clone()),
        Some(Target {
            name: AT_ONCE,
            command: [no_sdk.command.clone(), vec![PathBuf::from("at-once")]].concat(),
            ..no_sdk
        }),
        ours(ingest),
        beside(ingest),
        Some(Target::new(GO, ingest, vec![go.clone()], vec![go])),
        Some(places.node("Node", ingest, "ingest")),
        Some(Target {
            calls: three.clone(),
            ..places.node("Node, Powertools", ingest, "ingest_powertools")
        }),
        Some(places.python("Python", ingest, "ingest")),
        Some(Target {
            calls: three,
            artifact: [
                powertools.artifact.clone(),
                vec![places.peers.join("python/powertools")],
            ]
            .concat(),
            ..powertools
        }),
        ours(process),
        beside(process),
        Some(places.node("Node, concurrent", process, "process_concurrent")),
        Some(places.node("Node, one by one", process, "process_sequential")),
        Some(places.python("Python, threads", process, "process_concurrent")),
        Some(places.python("Python, one by one", process, "process_sequential")),
    ];
    let is_there = |target: &Target| {
        let program = target.command.first();
        program.is_some_and(|program| program.is_file())
    };
    targets.into_iter().flatten().filter(is_there).collect()
}
