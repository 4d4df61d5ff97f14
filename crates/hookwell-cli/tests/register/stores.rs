//! Stub of Parameter Store and Secrets Manager: their operations by which secrets are read and written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

pub(crate) struct Stores {
    pub(crate) url: String,
    /// Secrets by their names.
    pub(crate) texts: Mutex<BTreeMap<String, String>>,
    pub(crate) takes_nothing: AtomicBool,
}

impl Stores {
    pub(crate) async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stores = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            texts: Mutex::default(),
            takes_nothing: AtomicBool::new(false),
        });
        let router = Router::new().fallback(answer).with_state(stores.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stores
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.texts.lock().unwrap().get(name).cloned()
    }
}

async fn answer(State(stores): State<Arc<Stores>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let text = |name: &str| asked[name].as_str().unwrap().to_owned();
    let fault = |kind: &str| {
        let body = json!({ "__type": kind, "message": "no" }).to_string();
        (StatusCode::BAD_REQUEST, body).into_response()
    };
    let mut texts = stores.texts.lock().unwrap();
    let target = headers["x-amz-target"].to_str().unwrap();
    let is_read = target.contains(".Get");
    if !is_read && stores.takes_nothing.load(Ordering::Relaxed) {
        return fault("AccessDeniedException");
    }
    let token = || assert!((32..=64).contains(&text("ClientRequestToken").len()));
    let answer = match target {
        "AmazonSSM.GetParameter" => match texts.get(&text("Name")) {
            Some(value) => json!({ "Parameter": { "Value": value } }),
            None => return fault("ParameterNotFound"),
        },
        "AmazonSSM.PutParameter" => {
            assert_eq!(asked["Type"], "SecureString");
            let name = text("Name");
            if texts.contains_key(&name) && asked["Overwrite"] != true {
                return fault("ParameterAlreadyExists");
            }
            texts.insert(name, text("Value"));
            json!({ "Version": 1, "Tier": "Standard" })
        }
        "secretsmanager.GetSecretValue" => match texts.get(&text("SecretId")) {
            Some(value) => json!({ "SecretString": value }),
            None => return fault("ResourceNotFoundException"),
        },
        "secretsmanager.PutSecretValue" if texts.contains_key(&text("SecretId")) => {
            token();
            texts.insert(text("SecretId"), text("SecretString"));
            json!({})
        }
        "secretsmanager.PutSecretValue" => return fault("ResourceNotFoundException"),
        "secretsmanager.CreateSecret" => {
            token();
            let before = texts.insert(text("Name"), text("SecretString"));
            assert_eq!(before, None, "ResourceExistsException");
            json!({})
        }
        other => panic!("{other}"),
    };
    answer.to_string().into_response()
}
