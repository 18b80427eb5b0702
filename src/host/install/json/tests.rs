use super::*;
use proptest::prelude::*;
use serde::Serialize;

const TEMPLATE: &str = r#"{
  "hooks": {
    "Stop": [
      { "hooks": [{ "type": "command", "command": "exec git-aio hook x" }] }
    ],
    "PreToolUse": [
      {
        "matcher": "Edit",
        "hooks": [{ "type": "command", "command": "exec git-aio hook x", "timeout": 10 }]
      }
    ]
  },
  "mcpServers": {
    "aio": { "command": "git-aio", "args": ["mcp"] }
  }
}
"#;

fn put(text: &str) -> String {
    with(text, TEMPLATE, Dialect::Lenient).expect("JSON")
}

/// Files as people write them.
const USUAL: &[&str] = &[
    "{\n  \"model\": \"opus\"\n}\n",
    "{\n\t\"model\": \"opus\", // the best\n\t\"env\": {\n\t\t\"A\": \"1\"\n\t}\n}",
    "// mine\n{\n    \"permissions\": {\n        \"allow\": [\"Bash(ls)\"],\n    },\n}\n",
    "{\r\n  \"model\": \"opus\"\r\n}\r\n",
    "\u{feff}{\n  \"model\": \"opus\"\n}\n",
    "{\n  \"hooks\": {\n    \"Stop\": [\n      {\n        \"hooks\": [{ \"type\": \"command\", \"command\": \"say done\" }]\n      }\n    ]\n  }\n}\n",
    "{\n  \"hooks\": {\n    /* all\n       of them */\n    \"Notification\": [\n      { \"hooks\": [{ \"command\": \"a\" }] }, // one\n      { \"hooks\": [{ \"command\": \"b\" }] } // two\n    ]\n  },\n  \"mcpServers\": {\n    \"other\": { \"command\": \"other\" }\n  }\n}\n",
    "{\n  \"mcpServers\": {\n    \"aio\": { \"command\": \"git-aio\", \"args\": [\"mcp\"] }\n  }\n}\n",
];

#[test]
fn what_was_put_in_comes_out_again_to_the_byte() {
    for text in USUAL {
        let with = put(text);
        assert_eq!(put(&with), with, "twice is once");
        let (theirs, all, ours) = (value(text), value(&with), value(TEMPLATE));
        assert!(contains(&all, &theirs) && contains(&all, &ours), "{with}");
        assert_eq!(without(&with, TEMPLATE, Some(text)).as_deref(), Some(*text));
    }
}

/// Whether all of `part` is in `all`.
fn contains(all: &Value, part: &Value) -> bool {
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            part.iter().all(|(key, part)| all.get(key).is_some_and(|all| contains(all, part)))
        }
        (Value::Array(all), Value::Array(part)) => part.iter().all(|part| all.contains(part)),
        _ => all == part,
    }
}

#[test]
fn what_is_inserted_is_laid_out_as_the_rest_is() {
    let tabs = put("{\n\t\"model\": \"opus\"\n}\n");
    assert!(tabs.contains("\n\t\"hooks\": {\n\t\t\"Stop\": ["), "{tabs}");
    let windows = put("{\r\n  \"model\": \"opus\"\r\n}\r\n");
    assert_eq!(windows.matches("\r\n").count(), windows.matches('\n').count(), "{windows:?}");
}

#[test]
fn a_file_of_nothing_but_ours_has_nothing_left() {
    for was in [None, Some(""), Some("// mine\n")] {
        let with = put(was.unwrap_or("{}"));
        assert_eq!(without(&with, TEMPLATE, was).as_deref(), Some(""), "{was:?}");
    }
    assert_eq!(without(&put("{}"), TEMPLATE, Some("{}")).map(|rest| value(&rest)), Some(serde_json::json!({})));
    assert_eq!(without("{\n  \"model\": 1\n}\n", TEMPLATE, None), None);
    assert_eq!(without("{ cut off", TEMPLATE, None), None);
}

#[test]
fn older_hooks_of_ours_are_replaced_and_others_stay() {
    let older = r#"{
  "hooks": {
    "PreToolUse": [
      { "matcher": "Bash", "hooks": [{ "command": "theirs" }] },
      { "matcher": "Write", "hooks": [{ "command": "git-aio hook x" }] },
      { "matcher": "Edit", "hooks": [{ "command": "git-aio hook x --old" }] }
    ]
  }
}
"#;
    let with = put(older);
    let groups = &value(&with)["hooks"]["PreToolUse"];
    assert_eq!(groups[0]["hooks"][0]["command"], "theirs");
    assert_eq!(groups[1], value(TEMPLATE)["hooks"]["PreToolUse"][0]);
    assert_eq!(groups.as_array().map(Vec::len), Some(2));
}

#[test]
fn a_group_that_somebody_added_to_is_left_and_divided_again() {
    let shared = put("{\n}\n").replace(", \"timeout\": 10", "");
    let shared = value(&shared);
    let mut shared = shared;
    let group = shared["hooks"]["PreToolUse"][0]["hooks"].as_array_mut().expect("an array");
    group.push(serde_json::json!({ "command": "theirs" }));
    let shared = serde_json::to_string_pretty(&shared).expect("JSON");
    assert_eq!(value(&put(&shared)), value(&shared));
    let rest = value(&without(&shared, TEMPLATE, None).expect("ours"));
    let expected = serde_json::json!({ "hooks": { "PreToolUse": [
        { "matcher": "Edit", "hooks": [{ "command": "theirs" }] }
    ] } });
    assert_eq!(rest, expected);
}

#[test]
fn what_the_user_settled_stays() {
    let settled = r#"{ "mcpServers": { "aio": { "command": "/opt/git-aio", "args": [] } } }"#;
    assert_eq!(value(&put(settled))["mcpServers"], value(settled)["mcpServers"]);
    let another = r#"{ "mcpServers": { "aio": { "command": "another" } } }"#;
    let rest = without(&put(another), TEMPLATE, Some(another)).expect("ours");
    assert_eq!(value(&rest), value(another));
}

#[test]
fn what_can_not_be_changed_is_told_with_its_place() {
    let told = |text| with(text, TEMPLATE, Dialect::Lenient).expect_err("refused");
    assert_eq!(told("{\n  \"a\": 1\n  \"b\": 2\n}"), "it is no valid JSON: Expected comma on line 2 column 9");
    assert_eq!(told("[]"), "it holds no object");
    assert_eq!(told(r#"{ "hooks": [] }"#), "hooks in it is no object");
    assert_eq!(told(r#"{ "hooks": { "Stop": {} } }"#), "hooks.Stop in it is no array");
}

#[test]
fn nothing_is_written_into_one_of_several_that_have_the_same_name() {
    let twice = |text: &str| with(text, TEMPLATE, Dialect::Lenient).expect_err("it says something twice");
    assert_eq!(twice(r#"{ "hooks": {}, "hooks": {} }"#), "hooks stands in it more than once: leave one of them");
    let inside = r#"{ "hooks": { "Stop": [], "Sto\u0070": [] } }"#;
    assert_eq!(twice(inside), "hooks.Stop stands in it more than once: leave one of them");
    assert!(with(r#"{ "env": 1, "env": 2 }"#, TEMPLATE, Dialect::Lenient).is_ok(), "what we don't touch is not ours");
}

#[test]
fn the_commands_are_found_wherever_they_stand() {
    assert_eq!(commands(TEMPLATE), ["exec git-aio hook x"]);
    assert_eq!(commands("{ cut off"), [""; 0]);
}

/// JSON that has keys of the template, too, and of the right kind.
fn settings() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[a-z /{}\\[\\],:\"]{0,8}".prop_map(Value::from)];
    let any_value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    let elements = prop::collection::vec(any_value.clone(), 0..3).prop_map(Value::from);
    let hooks = prop::collection::btree_map(prop_oneof!["Stop", "PreToolUse", "Other"], elements, 0..3);
    let servers = prop::collection::btree_map(prop_oneof!["aio", "other"], any_value.clone(), 0..3);
    let others = prop::collection::btree_map("[a-z]{1,6}", any_value, 0..4);
    (prop::option::of(hooks), prop::option::of(servers), others).prop_map(|(hooks, servers, others)| {
        let mut all: serde_json::Map<String, Value> = others.into_iter().collect();
        all.extend(hooks.map(|hooks| ("hooks".to_owned(), hooks.into_iter().collect())));
        all.extend(servers.map(|servers| ("mcpServers".to_owned(), servers.into_iter().collect())));
        Value::Object(all)
    })
}

/// `value` as an editor would lay it out, with this indent and this end of lines.
fn laid_out(value: &Value, indent: &str, ends: &str) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter)).expect("written");
    String::from_utf8(out).expect("text").replace('\n', ends) + ends
}

proptest! {
    #[test]
    fn whatever_is_there_stays_and_comes_back(
        value_there in settings(),
        indent in prop_oneof![Just("  "), Just("    "), Just("\t")],
        ends in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let text = laid_out(&value_there, indent, ends);
        let with = put(&text);
        prop_assert!(contains(&value(&with), &value_there), "{}", with);
        prop_assert!(contains(&value(&with)["hooks"], &value(TEMPLATE)["hooks"]), "{}", with);
        prop_assert_eq!(put(&with), with.clone());
        let rest = without(&with, TEMPLATE, Some(&text)).unwrap_or(with);
        prop_assert_eq!(value(&rest), value_there);
        // What was empty and on one line stays empty, if not on one line.
        if !text.contains("{}") && !text.contains("[]") {
            prop_assert_eq!(rest, text);
        }
    }
}

#[test]
fn what_a_reader_passes_over_is_not_merged_into() {
    let commented = "{\n  // mine\n  \"a\": 1\n}\n";
    let trailing = "{\n  \"a\": 1,\n}\n";
    for (text, dialect, fits) in [
        (commented, Dialect::Standard, false),
        (trailing, Dialect::Standard, false),
        (commented, Dialect::Comments, true),
        (trailing, Dialect::Comments, false),
        (trailing, Dialect::Lenient, true),
    ] {
        assert_eq!(with(text, TEMPLATE, dialect).is_ok(), fits, "{text} {dialect:?}");
        assert_eq!(unreadable(text, dialect).is_none(), fits);
    }
    let merged = with("{\n  \"a\": 1\n}\n", TEMPLATE, Dialect::Standard).expect("merged");
    assert_eq!(unreadable(&merged, Dialect::Standard), None, "{merged}");
}
