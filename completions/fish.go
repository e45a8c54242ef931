package completions

import (
	"fmt"
	"strings"

	"nspawnkit/settings"
)

// Fish returns the completion of a program for fish(1).
func Fish(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion of %s, made by go test ./completions -update\n\n%s", p.Name, fishHelpers())
	if len(p.Verbs) > 0 {
		fmt.Fprintf(&b, "complete -c %s -f\n", p.Name)
	}
	for _, verb := range p.Verbs {
		writeFishVerb(&b, p, verb)
	}
	for i := range p.Options {
		writeFishOption(&b, p, &p.Options[i])
	}
	return b.String()
}

func fishHelpers() string {
	var b strings.Builder
	b.WriteString("function __nspawnkit_machines\n    for path in")
	for _, folder := range machineFolders {
		b.WriteString(` "$NSPAWNKIT_ROOT"` + folder)
	}
	b.WriteString("\n        string replace -r '^.*/' '' -- $path\n    end")
	for _, suffix := range machineSuffixes {
		fmt.Fprintf(&b, " | string replace -r '\\%s$' ''", suffix)
	}
	b.WriteString(` | string match -r '^[A-Za-z0-9.-]+$' | sort -u
end

function __nspawnkit_interfaces
    for path in "$NSPAWNKIT_ROOT"/sys/class/net/*
        string replace -r '^.*/' '' -- $path
    end
end

function __nspawnkit_slices
    for path in "$NSPAWNKIT_ROOT"/sys/fs/cgroup/*.slice
        string replace -r '^.*/' '' -- $path
    end
end

`)
	return b.String()
}

func writeFishOption(b *strings.Builder, p Program, o *Option) {
	fmt.Fprintf(b, "complete -c %s", p.Name)
	if len(p.Verbs) > 0 {
		b.WriteString(" -n __fish_is_first_token")
	}
	if o.Short != "" {
		b.WriteString(" -s " + o.Short[1:])
	}
	if o.Long != "" {
		b.WriteString(" -l " + o.Long[2:])
	}
	b.WriteString(" -d " + fishQuote(o.Help))
	if o.Argument != settings.NoArgument {
		flag := "-x"
		switch files := o.Value.Kind == Files || o.Value.Kind == Directories; {
		case o.Argument == settings.OptionalArgument:
			flag = "-f"
		case files:
			flag = "-r"
		}
		b.WriteString(" " + flag)
		if list := fishList(o.Value); list != "" {
			b.WriteString(" -a " + fishQuote(list))
		}
	}
	b.WriteString("\n")
}

func writeFishVerb(b *strings.Builder, p Program, verb Verb) {
	form, seen := "-a "+verb.Name, "__fish_seen_subcommand_from "+verb.Name
	if option, found := strings.CutPrefix(verb.Name, "--"); found {
		form, seen = "-l "+option, "__fish_contains_opt "+option
	}
	fmt.Fprintf(b, "complete -c %s -n __fish_is_first_token %s -d %s\n", p.Name, form, fishQuote(verb.Help))
	rest := fmt.Sprintf("complete -c %s -n '%s'", p.Name, seen)
	if verb.JSON {
		b.WriteString(rest + " -l json -d 'Print JSON'\n")
	}
	switch list := fishList(verb.Operands); {
	case verb.Operands.Kind == Files:
		b.WriteString(rest + " -F\n")
	case list != "":
		b.WriteString(rest + " -a " + fishQuote(list) + "\n")
	}
}

// fishList returns the words and the commands that print some.
func fishList(v Value) string {
	words := strings.Join(v.Words, " ")
	finder := [...]string{
		Machines: "(__nspawnkit_machines)", Directories: "(__fish_complete_directories)", Files: "", Interfaces: "(__nspawnkit_interfaces)",
		Users: "(__fish_complete_users)", Slices: "(__nspawnkit_slices)",
	}[v.Kind]
	return strings.TrimSpace(words + " " + finder)
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
