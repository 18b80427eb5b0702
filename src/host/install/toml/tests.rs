use super::*;

const TEMPLATE: &str = "[mcp_servers.aio]\ncommand = \"git-aio\"\nargs = [\"mcp\"]\n";

#[test]
fn what_was_put_in_comes_out_again_to_the_byte() {
    let usual = [
        "model = \"x\"\n",
        "# mine\nmodel   = 'x' # odd\n\n[projects.\"/a b\"]\ntrust_level = \"trusted\"\n",
        "model = \"x\"\r\n\r\n[mcp_servers.other]\r\ncommand = \"other\"\r\n\r\n[tui]\r\nx = 1\r\n",
        "mcp_servers = { other = { command = \"other\" } }\n",
        "[mcp_servers]\n\n[mcp_servers.other]\ncommand = \"o\"\n",
        "[mcp_servers.aio]\ncommand = \"git-aio\"\nargs = [\"mcp\"]\nenv = { A = \"1\" }\n",
        "model = \"x\"",
    ];
    for text in usual {
        let with = with(text, TEMPLATE).expect("TOML");
        assert_eq!(super::with(&with, TEMPLATE).expect("TOML"), with, "twice is once");
        let aio = &parse(&with).expect("TOML")["mcp_servers"]["aio"];
        assert_eq!(aio["command"].as_str(), Some("git-aio"), "{with}");
        assert_eq!(with.matches("\r\n").count() > 0, text.contains("\r\n"));
        let rest = without(&with, TEMPLATE, Some(text));
        assert_eq!(rest.as_deref().unwrap_or(&with).trim_end(), text.trim_end(), "from {with}");
    }
}

#[test]
fn what_is_inserted_stands_at_the_end_or_with_its_like() {
    let put = |text| with(text, TEMPLATE).expect("TOML");
    assert_eq!(put("model = \"x\"\n"), format!("model = \"x\"\n\n{TEMPLATE}"));
    assert_eq!(put("a = 1\n\n[b]\nc = 1\n"), format!("a = 1\n\n[b]\nc = 1\n\n{TEMPLATE}"));
    let with = put("[mcp_servers.other]\ncommand = \"o\"\n\n[tui]\nx = 1\n");
    assert_eq!(with, format!("[mcp_servers.other]\ncommand = \"o\"\n\n{TEMPLATE}\n[tui]\nx = 1\n"));
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    let with = with("model = \"x\"\n", TEMPLATE).expect("TOML") + "\n[tui]\nx = 1\n";
    let rest = without(&with, TEMPLATE, Some("model = \"x\"\n")).expect("ours");
    assert_eq!(rest, "model = \"x\"\n\n[tui]\nx = 1\n");
    assert_eq!(without(TEMPLATE, TEMPLATE, None).as_deref(), Some(""));
    assert_eq!(without("model = \"x\"\n", TEMPLATE, None), None);
}

#[test]
fn what_can_not_be_changed_is_told_with_its_place() {
    let told = |text| with(text, TEMPLATE).expect_err("refused");
    assert!(told("a = 1\nb = \n").starts_with("it is no valid TOML: "));
    assert!(told("a = 1\nb = \n").ends_with(" on line 2"), "{}", told("a = 1\nb = \n"));
    assert_eq!(told("mcp_servers = 1\n"), "mcp_servers in it is no table");
}
