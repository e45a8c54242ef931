package settings

import (
	"errors"
	"fmt"
	"strings"
)

// isPassThrough reports whether a section goes to the unit of the container.
func isPassThrough(section string) bool {
	return section == "Unit" || section == "Service" || section == "Install"
}

// ownService are the keys of [Service] without which the unit would no longer run its container the way machinectl(1)
// and nspawn-exec expect.
const ownService = "Type ExecStart ExecStop KillMode Delegate DelegateSubgroup NotifyAccess User Group DynamicUser " +
	"RootDirectory RootImage RootMStack RootEphemeral PIDFile BusName GuessMainPID RemainAfterExit RestartForceExitStatus SuccessExitStatus"

// execLists are the keys of [Service] with command lines, whose empty value would remove commands of ours.
const execLists = "ExecStart ExecStartPre ExecStartPost ExecCondition ExecStop ExecStopPost ExecReload ExecReloadPost"

// hasWord reports whether word is one of the words of list.
func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// ignoredError marks lines that are left out with a warning, although they stand where they can be read.
type ignoredError string

func (e ignoredError) Error() string { return string(e) }

// checkPassThrough decides whether a line of [Unit], [Service] or [Install] may go to the unit of machine. Specifiers
// stay as they are.
func checkPassThrough(st Statement, machine string) error {
	if err := checkUnitLine(st.Key, st.Value); err != nil {
		return err
	}
	switch st.Section {
	case "Install":
		return checkInstall(st.Key, st.Value, machine)
	case "Service":
		if isServiceKey(st.Key) {
			return checkService(st.Key, st.Value)
		}
	case "Unit":
		if isUnitKey(st.Key) {
			return nil
		}
	}
	if home := homeOf(st.Key); home != "" {
		return ignoredError(misplaced(st.Key, st.Section, home))
	}
	return nil // of a systemd newer than this program
}

// checkUnitLine refuses what would not survive being written to a unit as one line.
func checkUnitLine(key, text string) error {
	for _, c := range []byte(key) {
		if !isLetterOrDigit(c) && c != '-' {
			return ignoredError(printable(key) + " is not the name of a key, line ignored")
		}
	}
	if hasControl(strings.ReplaceAll(text, "\t", "")) {
		return errControl
	}
	if endsInBackslash(text) {
		return errors.New("backslash at the end")
	}
	return nil
}

func checkService(key, text string) error {
	if text == "" && hasWord(execLists, key) {
		return errors.New("the commands of the unit cannot be reset")
	}
	if hasWord(ownService, key) {
		return errors.New("cannot be set, nspawnkit sets it")
	}
	check := checkerOf(key)
	if check == nil || text == "" {
		return nil // an empty value resets
	}
	return check(text)
}

// checkInstall allows what systemctl(1) enables for an instance of a template.
func checkInstall(key, text, machine string) error {
	switch key {
	case "WantedBy", "RequiredBy", "UpheldBy":
		return nil
	case "Also", "DefaultInstance":
		return ignoredError(key + "= has no meaning here, ignored")
	case "Alias":
		for alias := range strings.FieldsSeq(text) {
			prefix, instance, found := strings.Cut(strings.TrimSuffix(alias, ".service"), "@")
			if !found || prefix == "" || !strings.HasSuffix(alias, ".service") ||
				instance != machine && instance != "%i" && instance != "%I" {
				return fmt.Errorf("%s is not OTHER@%s.service, systemd refuses other aliases", printable(alias), machine)
			}
		}
		return nil
	}
	return ignoredError(unknownKey(key, "Install"))
}
