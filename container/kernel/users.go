package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// AskNameServices asks all services of nsswitch.conf(5) for users and groups of these numbers. They are libraries of C: getent(1) is
// the way to them.
func AskNameServices(ids ...string) (known bool, err error) {
	var answers [2]strings.Builder
	var commands [2]*exec.Cmd
	program, err := exec.LookPath("getent")
	if err != nil {
		program = "/usr/bin/getent" // where there is no $PATH
	}
	for i, database := range []string{"passwd", "group"} {
		commands[i] = exec.Command(program, append([]string{database}, ids...)...)
		commands[i].Stdout = &answers[i]
		if err := commands[i].Start(); err != nil {
			return false, fmt.Errorf("ask the %s database: %w", database, err)
		}
	}
	err = nil
	for i := range commands {
		err = errors.Join(err, notFound(commands[i].Wait()))
		known = known || answers[i].Len() > 0
	}
	return known, err
}

// notFound leaves out that getent found nothing, or not all.
func notFound(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 2 {
		return nil
	}
	return err
}

// NewEmptyUserNamespace makes a user namespace without users and calls fill, which has somebody map some. It returns the
// namespace and the users that are mapped, those from 0 on first.
func NewEmptyUserNamespace(fill func(userns *os.File) error) (userns *os.File, users []IDExtent, err error) {
	holder, err := startHolder(0, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	defer holder.end()
	if userns, err = holder.OpenNamespace("user"); err != nil {
		return nil, nil, err
	}
	if err = fill(userns); err == nil {
		users, err = mappedUsers(holder.PID)
	}
	if err != nil {
		userns.Close()
	}
	return userns, users, err
}

// mappedUsers reads the users of a process, of which some must be those from 0 on.
func mappedUsers(pid int) ([]IDExtent, error) {
	name := fmt.Sprintf("/proc/%d/uid_map", pid)
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	users := parseIDMap(string(data))
	if len(users) == 0 || users[0].From != 0 {
		return nil, fmt.Errorf("%s maps no users from 0 on: %q", name, data)
	}
	return users, nil
}
