//! Integrations of API Gateway: where it takes a request, as resources of their own or in an OpenAPI body.

use crate::deployment::Deployment;
use crate::node::Value;
use crate::place::Place;
use crate::resolve::Resource;

/// The types of an API, with the property that holds its OpenAPI body, the one that names a file with it, and whether it is an
/// HTTP API.
const APIS: [(&str, &str, &str, bool); 4] = [
    ("AWS::ApiGateway::RestApi", "Body", "BodyS3Location", false),
    ("AWS::ApiGatewayV2::Api", "Body", "BodyS3Location", true),
    (
        "AWS::Serverless::Api",
        "DefinitionBody",
        "DefinitionUri",
        false,
    ),
    (
        "AWS::Serverless::HttpApi",
        "DefinitionBody",
        "DefinitionUri",
        true,
    ),
];

/// Fate of the requests of a path at API Gateway.
#[derive(Debug)]
pub(super) struct Integration<'d> {
    /// The integration's properties.
    pub(super) place: Place<'d>,
    /// Place that names what is called.
    pub(super) uri: Place<'d>,
    /// True for an HTTP API, false for a REST API.
    pub(super) is_http_api: bool,
    /// True where neither a key nor an authorizer stands before it.
    pub(super) is_open: bool,
    /// True where the HTTP method asks for something, and tells nothing.
    pub(super) is_read_only: bool,
    subtype: Place<'d>,
    parameters: Place<'d>,
    templates: Place<'d>,
}

impl<'d> Integration<'d> {
    /// True where the sender is answered before the function runs.
    pub(super) fn is_async(&self) -> bool {
        let mut parameters = self.parameters.entries().into_iter();
        parameters.any(|(name, value)| {
            name.ends_with(".X-Amz-Invocation-Type")
                && value.text().is_some_and(|text| text.contains("Event"))
        })
    }

    /// The places that name the queue into which the requests go; none where they go elsewhere.
    pub(super) fn queue(&self) -> Vec<Place<'d>> {
        if self.subtype.is("SQS-SendMessage") {
            return vec![self.parameters.at("QueueUrl")];
        }
        let uri = self.uri.text();
        if !uri.is_some_and(|uri| uri.contains(":sqs:path/") || uri.contains(":sqs:action/")) {
            return Vec::new();
        }
        // With `action/SendMessage` the queue is in a parameter or in the template of the call.
        let more = [&self.parameters, &self.templates];
        let more = more.map(|map| map.entries().into_iter().map(|(_, one)| one));
        let more = more.into_iter().flatten();
        std::iter::once(self.uri.clone()).chain(more).collect()
    }
}

/// Every integration of the template.
pub(super) fn integrations<'d>(deployment: &'d Deployment<'_>) -> Vec<Integration<'d>> {
    let http = deployment.of(&["AWS::ApiGatewayV2::Integration"]);
    let http = http.filter(|one| !is_socket(deployment, one)).map(|one| {
        let place = one.properties();
        let routes = routes(deployment, one);
        let is_read = |route: &Place<'_>| {
            let key = route.at("RouteKey");
            key.text()
                .is_some_and(|key| is_read_only(key.split(' ').next()))
        };
        Integration {
            uri: place.at("IntegrationUri"),
            is_http_api: true,
            is_open: routes.is_empty() || routes.iter().any(is_open),
            is_read_only: !routes.is_empty() && routes.iter().all(is_read),
            subtype: place.at("IntegrationSubtype"),
            parameters: place.at("RequestParameters"),
            templates: place.at("RequestTemplates"),
            place,
        }
    });
    let rest = deployment.of(&["AWS::ApiGateway::Method"]).map(|one| {
        let method = one.properties();
        let place = method.at("Integration");
        Integration {
            uri: place.at("Uri"),
            is_http_api: false,
            is_open: is_open(&method),
            is_read_only: is_read_only(method.at("HttpMethod").text()),
            subtype: place.at("IntegrationSubtype"),
            parameters: place.at("RequestParameters"),
            templates: place.at("RequestTemplates"),
            place: method,
        }
    });
    let mut all: Vec<_> = http.chain(rest).collect();
    for (kind, body, _, is_http_api) in APIS {
        for api in deployment.of(&[kind]) {
            all.extend(of_body(&api.properties(), body, is_http_api));
        }
    }
    all
}

/// The APIs whose paths are in another file.
pub(super) fn hidden<'d>(deployment: &'d Deployment<'_>) -> Vec<Place<'d>> {
    let apis = APIS.into_iter().flat_map(|(kind, body, file, _)| {
        deployment.of(&[kind]).flat_map(move |api| {
            let (body, file) = (api.properties().at(body), api.properties().at(file));
            let is_unknown = matches!(body.value(), Some(Value::Unknown));
            let body = Some(body).filter(|_| is_unknown);
            let file = Some(file).filter(|file| !file.is_missing());
            body.into_iter().chain(file)
        })
    });
    apis.collect()
}

/// The integrations of an OpenAPI body.
fn of_body<'d>(api: &Place<'d>, body: &str, is_http_api: bool) -> Vec<Integration<'d>> {
    let body = api.at(body);
    // An empty list of an operation takes the default away, so that only what is named counts.
    let is_guarded =
        !body.at("security").is_missing() || !api.at("Auth.DefaultAuthorizer").is_missing();
    let mut found = Vec::new();
    for (_, path) in body.at("paths").entries() {
        for (method, operation) in path.entries() {
            let place = operation.at("x-amazon-apigateway-integration");
            if place.is_missing() {
                continue;
            }
            let key = |name: &str| place.at(name);
            found.push(Integration {
                uri: key("uri"),
                is_http_api,
                is_open: !is_guarded && operation.at("security").is_missing(),
                is_read_only: is_read_only(Some(method)),
                subtype: key("integrationSubtype"),
                parameters: key("requestParameters"),
                templates: key("requestTemplates"),
                place,
            });
        }
    }
    found
}

/// The routes that lead to an integration.
fn routes<'d>(deployment: &'d Deployment<'_>, integration: &Resource) -> Vec<Place<'d>> {
    let routes = deployment.of(&["AWS::ApiGatewayV2::Route"]);
    let routes = routes.map(Resource::properties);
    routes
        .filter(|route| route.at("Target").targets().contains(&&*integration.id))
        .collect()
}

/// True for an integration of a WebSocket API, at which no webhook arrives.
fn is_socket(deployment: &Deployment<'_>, integration: &Resource) -> bool {
    let api = integration.properties().at("ApiId");
    let api = deployment.named(&api, &["AWS::ApiGatewayV2::Api"]);
    api.is_some_and(|api| api.properties().at("ProtocolType").is("WEBSOCKET"))
}

/// True for an HTTP method with which no sender posts.
pub(super) fn is_read_only(method: Option<&str>) -> bool {
    let method = method.unwrap_or_default().to_ascii_uppercase();
    ["GET", "HEAD", "OPTIONS", "DELETE"].contains(&&*method)
}

/// True for a method or a route that asks for neither a key nor an authorizer.
fn is_open(method: &Place<'_>) -> bool {
    let kind = method.at("AuthorizationType");
    (kind.is_missing() || kind.is("NONE")) && !method.at("ApiKeyRequired").is("true")
}
