package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"nspawnkit/settings"
	"nspawnkit/units"
	"nspawnkit/units/generator"
)

// diff prints which edits of files do not count yet, when they will and why, and what to type for it. That something was
// edited is no failure: the exit status is 1 only if the question cannot be answered.
func diff(host generator.Host, args []string, stdout, stderr io.Writer) int {
	names := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--json" })
	for _, name := range names {
		if !settings.ValidMachineName(name) {
			printError(stderr, "diff takes names of containers and --json")
			return 1
		}
	}
	list, problems := generator.Diff(host, names...)
	if len(names) < len(args) {
		if list == nil {
			list = []generator.Difference{}
		}
		if err := printJSON(stdout, list); err != nil {
			printError(stderr, err.Error())
			return 1
		}
		return printProblems(stderr, problems)
	}
	for _, d := range list {
		for _, e := range d.Edits {
			fmt.Fprintf(stdout, "%s: %s\n", d.Name, sentence(e))
		}
		for _, text := range d.Errors {
			fmt.Fprintf(stdout, "%s: the next start would fail: %s\n", d.Name, text)
		}
	}
	if line := commandLine(list); line != "" {
		fmt.Fprintf(stdout, "\n%s\n", line)
	}
	return printProblems(stderr, problems)
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// sentence returns "FILE:LINE: KEY=: OLD → NEW: class: reason".
func sentence(e generator.Edit) string {
	_, key, _ := strings.Cut(e.Key, ".")
	class := string(e.Effect)
	if e.Reload && e.Effect == units.Restart {
		class = "daemon-reload and restart"
	}
	return fmt.Sprintf("%s: %s=: %s → %s: %s: %s", e.Origin, key, display(e.Key, e.Old), display(e.Key, e.New), class, e.Reason)
}

// display returns a value for people; without one the default of its key.
func display(key string, value *string) string {
	switch {
	case value != nil && *value == "":
		return "empty"
	case value != nil:
		return *value
	}
	for _, k := range settings.Keys() {
		if k.String() == key && k.Default != "" {
			return k.Default + " (default)"
		}
	}
	return "nothing"
}

// commandLine returns what to type for all containers: one daemon-reload, one restart, and the rest.
func commandLine(list []generator.Difference) string {
	const restart = "systemctl restart "
	var restarted, others, commands []string
	for _, d := range list {
		for _, command := range d.Commands {
			unit, isRestart := strings.CutPrefix(command, restart)
			switch {
			case isRestart:
				restarted = append(restarted, unit)
			case command == generator.Reload:
				commands = []string{command}
			default:
				others = append(others, command)
			}
		}
	}
	if len(restarted) > 0 {
		commands = append(commands, restart+strings.Join(restarted, " "))
	}
	return strings.Join(append(commands, others...), " && ")
}
