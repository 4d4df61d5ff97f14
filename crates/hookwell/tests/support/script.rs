//! Walks every path of a program that asks a script what happens next.

use std::sync::Mutex;

/// End of a remote call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    /// The call works.
    Works,
    /// The call fails and did nothing.
    Fails,
    /// The call took effect, and its answer is lost.
    AnswerLost,
    /// The caller dies before the call.
    CrashBefore,
    /// The call took effect, and the caller dies before the answer.
    CrashAfter,
    /// The call took effect, its answer is lost, and the SDK itself tries again.
    Repeated,
}

const LUCK: [Luck; 6] = [
    Luck::Works,
    Luck::Fails,
    Luck::AnswerLost,
    Luck::CrashBefore,
    Luck::CrashAfter,
    Luck::Repeated,
];

/// One path: the decisions so far, each with how many there were to choose from.
#[derive(Debug, Default)]
pub(crate) struct Script {
    path: Mutex<Vec<(usize, usize)>>,
    at: Mutex<usize>,
    faults_left: Mutex<usize>,
    deaths: Mutex<usize>,
}

impl Script {
    /// Decides between `of` possibilities.
    pub(crate) fn choose(&self, of: usize) -> usize {
        let (mut path, mut at) = (self.path.lock().unwrap(), self.at.lock().unwrap());
        if *at == path.len() {
            path.push((0, of));
        }
        let (choice, expected) = path[*at];
        assert_eq!(expected, of, "the program is not deterministic");
        *at += 1;
        choice
    }

    /// Decides whether something bad happens, as long as there are faults left.
    pub(crate) fn fault(&self) -> bool {
        if *self.faults_left.lock().unwrap() == 0 || self.choose(2) == 0 {
            return false;
        }
        *self.faults_left.lock().unwrap() -= 1;
        true
    }

    /// Decides the luck of a remote call.
    pub(crate) fn luck(&self) -> Luck {
        if *self.faults_left.lock().unwrap() == 0 {
            return Luck::Works;
        }
        let luck = LUCK[self.choose(LUCK.len())];
        if luck != Luck::Works {
            *self.faults_left.lock().unwrap() -= 1;
        }
        luck
    }

    /// Number of callers that have died.
    pub(crate) fn deaths(&self) -> usize {
        *self.deaths.lock().unwrap()
    }

    pub(crate) fn faults_left(&self) -> usize {
        *self.faults_left.lock().unwrap()
    }

    /// A remote call under the script: `None` when the caller is dead, `Some(None)` when it fails or is not answered.
    pub(crate) async fn call<T>(&self, mut effect: impl FnMut() -> T) -> Option<T> {
        let dies = async {
            *self.deaths.lock().unwrap() += 1;
            std::future::pending().await
        };
        match self.luck() {
            Luck::Works => Some(effect()),
            Luck::Fails => None,
            Luck::AnswerLost => {
                effect();
                None
            }
            Luck::CrashBefore => dies.await,
            Luck::CrashAfter => {
                effect();
                dies.await
            }
            Luck::Repeated => {
                effect();
                Some(effect())
            }
        }
    }
}

/// Runs `program` once for every path with at most `faults` faults, and gives the number of paths.
pub(crate) fn every_path(faults: usize, mut program: impl FnMut(&Script)) -> usize {
    let mut script = Script::default();
    let mut paths = 0;
    loop {
        *script.at.lock().unwrap() = 0;
        *script.faults_left.lock().unwrap() = faults;
        *script.deaths.lock().unwrap() = 0;
        program(&script);
        paths += 1;
        let path = script.path.get_mut().unwrap();
        while let Some((choice, of)) = path.pop() {
            if choice + 1 < of {
                path.push((choice + 1, of));
                break;
            }
        }
        if path.is_empty() {
            return paths;
        }
    }
}
