use serde_json::Value;

/// What `transformers` computes for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// The model's name.
    pub model: String,
    /// Positions in [`crate::Model::tokens`], each with the logits of the token behind it.
    pub logits: Vec<(usize, Vec<f32>)>,
}

/// The goldens of all models, made by `goldens.py`; six digits each.
///
/// # Panics
/// If `goldens.json` is not what the script writes.
pub fn goldens() -> Vec<Golden> {
    let all: Value = serde_json::from_str(include_str!("../goldens.json")).expect("goldens.json");
    let models = all["models"].as_object().expect("models");
    let logits = |position: &Value, list: &Value| {
        let list = list.as_array().expect("logits");
        let list = list.iter().map(|logit| logit.as_f64().expect("a logit") as f32);
        (position.as_u64().expect("a position") as usize, list.collect())
    };
    let golden = |(model, lists): (&String, &Value)| {
        let lists = lists.as_array().expect("lists of logits");
        let positions = all["positions"].as_array().expect("positions");
        let logits = positions.iter().zip(lists).map(|(at, list)| logits(at, list)).collect();
        Golden { model: model.clone(), logits }
    };
    models.iter().map(golden).collect()
}
