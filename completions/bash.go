package completions

import (
	"fmt"
	"slices"
	"strings"

	"nspawnkit/settings"
)

// Bash returns the completion of a program for bash(1).
func Bash(p Program) string {
	var b strings.Builder
	function := "_" + strings.ReplaceAll(p.Name, "-", "_")
	fmt.Fprintf(&b, "# bash completion of %s, made by go test ./completions -update\n\n%s", p.Name, bashHelpers())
	fmt.Fprintf(&b, "%s() {\n    local cur=${COMP_WORDS[COMP_CWORD]} option='' verb='' word i\n    COMPREPLY=()\n", function)
	b.WriteString(bashScan(p))
	b.WriteString(bashValues(p))
	b.WriteString(bashVerbs(p))
	fmt.Fprintf(&b, "}\n\ncomplete -F %s %s\n", function, p.Name)
	return b.String()
}

// bashHelpers are functions that fill COMPREPLY. compgen -W would expand what names of files say.
func bashHelpers() string {
	suffixes := ""
	for _, suffix := range machineSuffixes {
		suffixes += " name=${name%" + suffix + "}"
	}
	return `_nspawnkit_words() {
    local word
    for word; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
    # what goes on behind "=" has no space there
    if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

_nspawnkit_machines() {
    local path name
    for path in ` + bashMachineFolders() + `; do
        if [[ ! -e $path && ! -L $path ]]; then continue; fi
        name=${path##*/}
       ` + suffixes + `
        if [[ $name =~ ^[A-Za-z0-9.-]+$ && " ${COMPREPLY[*]} " != *" $name "* ]]; then _nspawnkit_words "$name"; fi
    done
}

_nspawnkit_files() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$cur")
}

_nspawnkit_interfaces() {
    local path
    for path in "${NSPAWNKIT_ROOT-}"/sys/class/net/*; do _nspawnkit_words "${path##*/}"; done
}

_nspawnkit_users() {
    local user
    while IFS= read -r user; do COMPREPLY+=("$user"); done < <(compgen -u -- "$cur")
}

_nspawnkit_slices() {
    local path
    for path in "${NSPAWNKIT_ROOT-}"/sys/fs/cgroup/*.slice; do _nspawnkit_words "${path##*/}"; done
}

`
}

func bashMachineFolders() string {
	var words []string
	for _, folder := range machineFolders {
		words = append(words, `"${NSPAWNKIT_ROOT-}"`+folder)
	}
	return strings.Join(words, " ")
}

// bashScan finds the option whose argument is completed, and the verb: bash makes words of their own of "=".
func bashScan(p Program) string {
	var required, optional []string
	for i := range p.Options {
		switch o := &p.Options[i]; o.Argument {
		case settings.RequiredArgument:
			required = append(required, o.forms()...)
		case settings.OptionalArgument:
			optional = append(optional, o.Long)
		}
	}
	cases := ""
	if len(required) > 0 {
		cases += "        " + strings.Join(required, " | ") + ")\n" +
			"            ((++i))\n            if [[ ${COMP_WORDS[i]} == = && $i -lt $COMP_CWORD ]]; then ((++i)); fi\n" +
			"            if ((i >= COMP_CWORD)); then option=$word; fi ;;\n"
	}
	if len(optional) > 0 {
		cases += "        " + strings.Join(optional, " | ") + ")\n" +
			"            if [[ ${COMP_WORDS[i + 1]} == = ]]; then ((i += 2)); if ((i >= COMP_CWORD)); then option=$word; fi; fi ;;\n"
	}
	return `    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
` + cases + `        -*) ` + dryRunIsVerb(p) + `;;
        *) verb=${verb:-$word} ;;
        esac
    done
    if [[ $cur == = ]]; then cur=; fi
`
}

// dryRunIsVerb is what bash does with an option in the place of a verb.
func dryRunIsVerb(p Program) string {
	for _, verb := range p.Verbs {
		if strings.HasPrefix(verb.Name, "-") {
			return "if [[ $word == " + verb.Name + " ]]; then verb=$word; fi "
		}
	}
	return ""
}

// bashValues completes the argument of an option.
func bashValues(p Program) string {
	actions := map[string][]string{}
	for i := range p.Options {
		if o := &p.Options[i]; o.Argument != settings.NoArgument {
			action := bashAction(o.Value)
			actions[action] = append(actions[action], o.forms()...)
		}
	}
	if len(actions) == 0 {
		return ""
	}
	var arms []string
	for action, forms := range actions {
		arms = append(arms, "    "+strings.Join(forms, " | ")+") "+action+"; return ;;\n")
	}
	slices.Sort(arms)
	return "    case $option in\n" + strings.Join(arms, "") + "    esac\n"
}

// bashAction returns the commands that complete a value.
func bashAction(v Value) string {
	var commands []string
	if len(v.Words) > 0 {
		commands = append(commands, "_nspawnkit_words "+strings.Join(v.Words, " "))
	}
	if finder := [...]string{
		Machines: "_nspawnkit_machines", Files: "_nspawnkit_files -f", Directories: "_nspawnkit_files -d",
		Interfaces: "_nspawnkit_interfaces", Users: "_nspawnkit_users", Slices: "_nspawnkit_slices",
	}[v.Kind]; finder != "" {
		commands = append(commands, finder)
	}
	if len(commands) == 0 {
		return ":"
	}
	return strings.Join(commands, "; ")
}

// bashVerbs completes verbs, options and operands.
func bashVerbs(p Program) string {
	var first []string
	for _, verb := range p.Verbs {
		first = append(first, verb.Name)
	}
	for i := range p.Options {
		o := &p.Options[i]
		for _, form := range o.forms() {
			if o.Argument == settings.RequiredArgument && form == o.Long {
				form += "="
			}
			first = append(first, form)
		}
	}
	if len(p.Verbs) == 0 {
		return "    if [[ -z $verb && $cur == -* ]]; then _nspawnkit_words " + strings.Join(first, " ") + "; return; fi\n    _nspawnkit_files -f\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "    case $verb in\n    '') _nspawnkit_words %s ;;\n", strings.Join(first, " "))
	for _, verb := range p.Verbs {
		action := bashAction(verb.Operands)
		if verb.JSON {
			action = "_nspawnkit_words --json; " + action
		}
		fmt.Fprintf(&b, "    %s) %s ;;\n", verb.Name, action)
	}
	b.WriteString("    esac\n")
	return b.String()
}
