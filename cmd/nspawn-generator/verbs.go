package main

import (
	"fmt"
	"io"
	"os"

	"nspawnkit/settings"
	"nspawnkit/terminal"
	"nspawnkit/units"
	"nspawnkit/units/generator"
)

// generate is systemd's call: NORMAL, or NORMAL EARLY LATE. It fails only if there was something to write and none of it
// could be written, because systemd does not care which part is missing.
func generate(host generator.Host, folders []string) int {
	if os.Getenv("SYSTEMD_IN_INITRD") == "1" {
		return 0 // containers are the business of the host proper, which calls again
	}
	normal, late := folders[0], folders[0]
	if len(folders) >= 3 {
		late = folders[2]
	}
	log := openKmsg()
	some, problems, err := generator.Run(host, normal, late)
	log.problems(problems)
	if err != nil {
		log.error(err)
		if !some {
			return 1
		}
	}
	return 0
}

// dryRun prints what generate would write. The exit status is 1 if a container has an error.
func dryRun(host generator.Host, names []string, stdout, stderr io.Writer) int {
	plan, problems := generator.Make(host, names...)
	printOutput(stdout, "generator/", plan.Normal)
	if len(names) == 0 {
		printOutput(stdout, "generator.late/", plan.Late)
	}
	return printProblems(stderr, problems)
}

func printOutput(w io.Writer, folder string, out units.Output) {
	for _, file := range out.Files {
		fmt.Fprintf(w, "==> %s%s\n%s\n", folder, file.Path, file.Text)
	}
	for _, link := range out.Links {
		fmt.Fprintf(w, "==> %s%s -> %s\n", folder, link.Path, link.Target)
	}
}

// printProblems returns 1 if one of them is an error.
func printProblems(w io.Writer, problems []settings.Problem) int {
	status, style := 0, terminal.StyleOf(w, os.LookupEnv)
	for _, p := range problems {
		if p.Severity == settings.Error {
			status = 1
			fmt.Fprintln(w, style.Bad(p.String()))
		} else {
			fmt.Fprintln(w, style.Warning(p.String()))
		}
	}
	return status
}

// printError prints why a verb fails.
func printError(w io.Writer, text string) {
	fmt.Fprintln(w, terminal.StyleOf(w, os.LookupEnv).Bad("nspawn-generator: "+text))
}

// verify prints what is wrong with the files, on stdout because that is the answer.
func verify(host generator.Host, files []string, stdout io.Writer) int {
	return printProblems(stdout, generator.Verify(host, files...))
}
