package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/container/userdb"
)

// lookUpUser finds the user of --uid= in the container's own files, when all of them are there.
func (f *first) lookUpUser() error {
	process := f.plan.Process
	wanted := process.User
	database := userdb.Database{Root: imageFiles{f.root}, MachineID: strings.ReplaceAll(f.plan.UUID, "-", "")}
	account, err := database.Account(wanted.Name)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the container has no such user")
	}
	for _, id := range append([]uint32{account.UID, account.GID}, account.Groups...) {
		if err == nil && wanted.Count > 0 && id >= wanted.Count {
			err = fmt.Errorf("%d is not a user or group of the container, which has %d", id, wanted.Count)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: user %s: %w", wanted.Origin, wanted.Name, err)
	}
	process.UID, process.GID, process.Groups = account.UID, account.GID, account.Groups
	if !path.IsAbs(account.Home) {
		account.Home = "/"
	}
	variables := []string{"HOME=" + account.Home, "USER=" + account.Name, "LOGNAME=" + account.Name}
	if account.Shell != "" {
		variables = append(variables, "SHELL="+account.Shell)
	}
	f.plan.Environment = addVariables(f.plan.Environment, variables)
	if wanted.Home {
		f.plan.WorkingDirectory = account.Home
	}
	if err := f.makeHome(account); err != nil {
		return fmt.Errorf("%s: user %s: %w", wanted.Origin, wanted.Name, err)
	}
	return nil
}

// addVariables adds variables that are not set yet.
func addVariables(environment, variables []string) []string {
	for _, variable := range variables {
		if name, _, _ := strings.Cut(variable, "="); !hasVariable(environment, name) {
			environment = append(environment, variable)
		}
	}
	return environment
}

// makeHome makes the user's home directory if it is missing, as systemd-nspawn does. Where nothing can be written there is none.
func (f *first) makeHome(account userdb.Account) error {
	err := f.root.MakeHome(account.Home, int(account.UID), int(account.GID))
	if errors.Is(err, kernel.ErrReadOnlyFileSystem) {
		return nil
	}
	return err
}

// imageFiles are the files of the container, for reading whole ones.
type imageFiles struct{ root *kernel.Root }

func (i imageFiles) Open(name string) (fs.File, error) { return i.root.Open(name, os.O_RDONLY) }

func (i imageFiles) ReadFile(name string) ([]byte, error) { return i.root.ReadFile(name, maxEtcFile) }
