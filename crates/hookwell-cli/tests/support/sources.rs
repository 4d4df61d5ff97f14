//! Sources of presets.

/// A source of a preset, with what it cannot do without.
pub(crate) fn source_of(preset: &str) -> String {
    let name = preset.replace('-', "_").to_uppercase();
    let pinned = match preset {
        "aws-sns" | "paypal" | "plaid" => format!("pinned = [\"env:ALL_PIN_{name}\"]\n"),
        _ => String::new(),
    };
    let more = match preset {
        "stonal" | "plain" => "allow_ips = [\"127.0.0.1\"]\n",
        "aws-sns" => "topics = [\"arn:aws:sns:us-east-1:111122223333:orders\"]\n",
        // Their 5 to 60 seconds may be over before the last of the others is signed.
        "paddle" | "linear" => "verify.timestamp = { past = 300, future = 300 }\n",
        "contentful" => "tolerance = { past = 300, future = 300 }\n",
        _ => "",
    };
    format!(
        "[sources.{preset}]\npreset = {preset:?}\nsecrets = [\"env:ALL_{name}\"]\n\
         public_url = \"https://hooks.example.com/webhooks/{preset}\"\n{pinned}{more}"
    )
}
