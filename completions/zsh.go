package completions

import (
	"fmt"
	"strings"

	"nspawnkit/settings"
)

// Zsh returns the completion of a program for zsh(1).
func Zsh(p Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# zsh completion of %[1]s, made by go test ./completions -update\n\n%s", p.Name, zshHelpers())
	if len(p.Verbs) > 0 {
		b.WriteString(zshVerbs(p))
	} else {
		b.WriteString("_arguments -s -S -A '-*' \\\n" + zshOptions(p) + "    '*:argument:_files'\n")
	}
	return b.String()
}

func zshHelpers() string {
	var b strings.Builder
	b.WriteString("(( $+functions[_nspawnkit_machines] )) || _nspawnkit_machines() {\n    local -a names\n    names=(")
	for _, folder := range machineFolders {
		b.WriteString(" ${NSPAWNKIT_ROOT-}" + folder + "(N:t)")
	}
	b.WriteString(" )\n")
	for _, suffix := range machineSuffixes {
		fmt.Fprintf(&b, "    names=( ${names%%%s} )\n", suffix)
	}
	b.WriteString(`    names=( ${(M)names:#[A-Za-z0-9.-]##} )
    compadd "$@" -a names
}

(( $+functions[_nspawnkit_interfaces] )) || _nspawnkit_interfaces() {
    local -a names
    names=( ${NSPAWNKIT_ROOT-}/sys/class/net/*(N:t) )
    compadd "$@" -a names
}

(( $+functions[_nspawnkit_slices] )) || _nspawnkit_slices() {
    local -a names
    names=( ${NSPAWNKIT_ROOT-}/sys/fs/cgroup/*.slice(N:t) )
    compadd "$@" -a names
}

setopt localoptions extendedglob
`)
	return b.String()
}

// zshOptions returns the specifications of _arguments.
func zshOptions(p Program) string {
	var b strings.Builder
	for i := range p.Options {
		o := &p.Options[i]
		long, short := o.Long, o.Short
		argument := ""
		switch o.Argument {
		case settings.RequiredArgument:
			long, short, argument = withSuffix(long, "="), withSuffix(short, "+"), ":"+zshAction(o.Value)
		case settings.OptionalArgument:
			long, argument = long+"=-", "::"+zshAction(o.Value)
		}
		help := "[" + zshText(o.Help) + "]" + argument
		switch {
		case o.Argument == settings.OptionalArgument && short != "": // only the long form takes the argument
			fmt.Fprintf(&b, "    '(%s %s)%s[%s]' \\\n    '(%[1]s %[2]s)%[5]s%[6]s' \\\n", short, o.Long, short, zshText(o.Help), long, help)
		case long == "" || short == "":
			fmt.Fprintf(&b, "    '%s%s' \\\n", long+short, help)
		default:
			fmt.Fprintf(&b, "    '(%s %s)'{%s,%s}'%s' \\\n", o.Short, o.Long, short, long, help)
		}
	}
	return b.String()
}

func withSuffix(option, suffix string) string {
	if option == "" {
		return ""
	}
	return option + suffix
}

// zshAction returns "MESSAGE:ACTION".
func zshAction(v Value) string {
	finder := [...]string{
		Machines: "_nspawnkit_machines", Files: "_files", Directories: "_files -/", Interfaces: "_nspawnkit_interfaces", Users: "_users",
		Slices: "_nspawnkit_slices",
	}[v.Kind]
	action := finder
	if len(v.Words) > 0 {
		words := "compadd - " + strings.Join(v.Words, " ")
		if action = "{" + words + "}"; finder != "" {
			action = "{" + words + "; " + finder + "}"
		}
		if finder == "" {
			action = "(" + strings.Join(v.Words, " ") + ")"
		}
	}
	return zshText(v.Name) + ":" + action
}

// zshText escapes what means something to _arguments, and to the quotes around it.
func zshText(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

// zshVerbs completes a verb, then what belongs to it.
func zshVerbs(p Program) string {
	var verbs, options strings.Builder
	for _, verb := range p.Verbs {
		list := &verbs
		if strings.HasPrefix(verb.Name, "-") {
			list = &options
		}
		fmt.Fprintf(list, "    '%s:%s'\n", verb.Name, zshText(verb.Help))
	}
	for i := range p.Options {
		for _, form := range p.Options[i].forms() {
			fmt.Fprintf(&options, "    '%s:%s'\n", form, zshText(p.Options[i].Help))
		}
	}
	var b strings.Builder
	b.WriteString("local -a verbs options\nverbs=(\n" + verbs.String() + ")\noptions=(\n" + options.String() +
		")\nif (( CURRENT == 2 )); then\n    _describe verb verbs\n    _describe -o option options\n    return\nfi\ncase $words[2] in\n")
	for _, verb := range p.Verbs {
		action := ""
		if verb.JSON {
			action = "compadd - --json; "
		}
		if operands := zshAction(verb.Operands); verb.Operands.Kind != Nothing {
			action += operands[strings.IndexByte(operands, ':')+1:]
		}
		fmt.Fprintf(&b, "    %s) %s ;;\n", verb.Name, strings.TrimSuffix(action, "; "))
	}
	b.WriteString("esac\n")
	return b.String()
}
