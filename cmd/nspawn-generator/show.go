package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"nspawnkit/settings"
	"nspawnkit/units/generator"
)

// show prints every value of the settings of one container with its origin. The exit status is 1 if the
// container has an error.
func show(host generator.Host, args []string, stdout, stderr io.Writer) int {
	names := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--json" })
	if len(names) != 1 || !settings.ValidMachineName(names[0]) {
		printError(stderr, "show takes the name of one container and --json")
		return 1
	}
	values, problems := generator.Show(host, names[0])
	if len(names) < len(args) {
		if err := printJSON(stdout, values); err != nil {
			printError(stderr, err.Error())
			return 1
		}
		return printProblems(stderr, problems)
	}
	table := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	for _, v := range values {
		note := ""
		if v.SetAgain != "" {
			note = fmt.Sprintf("\tset to %q in %s", v.Again, v.SetAgain)
		}
		fmt.Fprintf(table, "%s=%s\t%s%s\n", v.Key, v.Value, v.Origin, note)
	}
	if err := table.Flush(); err != nil {
		printError(stderr, err.Error())
		return 1
	}
	return printProblems(stderr, problems)
}
