// Command nspawn-exec runs a whole operating system in a container: a drop-in for systemd-nspawn(1).
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"nspawnkit/container"
	"nspawnkit/container/capability"
	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/settings"
	"nspawnkit/terminal"
)

// version is set by the build.
var version = "unknown"

func init() {
	// The container's first process dies with the thread that started it, and executes the payload from the thread that
	// changed its namespaces: both must be the main thread, which only init can be sure to run on.
	runtime.LockOSThread()
}

func main() {
	switch os.Args[0] {
	case kernel.StageName:
		_ = container.RunFirst() // the supervisor was told
		os.Exit(1)
	case kernel.KeeperName:
		kernel.KeepTerminal()
		return
	case kernel.HolderName:
		kernel.HoldSignals(os.Args[1:])
		return
	}
	state, holder, err := kernel.HandedOver()
	switch {
	case err != nil:
		log, _ := newLogger()
		log.print(container.Error, err.Error())
		os.Exit(1)
	case state != nil:
		os.Exit(goOn(state, holder))
	}
	os.Exit(run())
}

// run returns the exit status: the payload's, or 1 if there was none (systemd-nspawn(1), "EXIT STATUS").
func run() int {
	log, warnings := newLogger()
	notifier, err := machined.NewNotifier(os.Getenv)
	if err != nil {
		warnings = append(warnings, err.Error())
	}
	for _, warning := range warnings {
		log.print(container.Warning, warning)
	}
	fail := func(err error) int { return exitStatus(1, err, notifier, log) }
	cmd, err := settings.ParseCommandLine(os.Args[1:], os.Environ()...)
	if usage, ok := errors.AsType[*settings.UsageError](err); ok {
		err = fmt.Errorf("%w; see %s", err, usage.See)
	}
	if err != nil {
		return fail(err)
	}
	log.quiet = cmd.Quiet
	switch {
	case cmd.Help:
		fmt.Print(terminal.StyleOf(os.Stdout, os.LookupEnv).Help(settings.Help("nspawn-exec", cmd.Topic)))
		return 0
	case cmd.Version:
		fmt.Println("nspawnkit", version)
		return 0
	case cmd.ListCapabilities:
		for number := range capability.LastKnown + 1 {
			fmt.Println(capability.Name(number))
		}
		return 0
	case cmd.ListConsoles:
		for _, mode := range settings.ConsoleModes() {
			fmt.Println(mode)
		}
		return 0
	case os.Geteuid() != 0:
		return fail(errors.New("needs to be run as root"))
	case cmd.Cleanup:
		tree := treeToClean(&cmd)
		if err := container.Cleanup(cmd.MachineName(), tree, stackImages(&cmd)...); err != nil {
			return fail(err)
		}
		return 0
	}
	status, err := start(&cmd, notifier, log)
	return exitStatus(status, err, notifier, log)
}

// exitStatus says what went wrong, if something did.
func exitStatus(status int, err error, notifier machined.Notifier, log *logger) int {
	if err == nil {
		return status
	}
	log.print(container.Error, err.Error())
	_ = notifier.Notify(machined.Status(err.Error()))
	return max(status, 1)
}

// start runs the container that is asked for, or prints how it would.
func start(cmd *settings.CommandLine, notifier machined.Notifier, log *logger) (status int, err error) {
	r, images, err := openRequest(cmd, notifier, log)
	caught := catchSignals() // only from here on: who is asked for the password of an image must be able to interrupt
	var plan *container.Plan
	if err == nil {
		plan, err = r.decide(images, log)
	}
	if err != nil || cmd.DryRun {
		err = errors.Join(err, images.Close())
	}
	if err != nil {
		return 1, err
	}
	if cmd.DryRun {
		printSteps(plan)
		return 0, nil
	}
	return runContainer(plan, images, <-caught, notifier, log)
}

func runContainer(plan *container.Plan, images *container.Images, signals *kernel.Signals, notifier machined.Notifier, log *logger) (int, error) {
	running, err := container.NewSupervisor(plan, images, notifier, log.print).Start()
	if err != nil {
		running.Close()
		return 1, err
	}
	return watchContainer(running, signals)
}

// goOn watches the container that the program before, which was this process, has started.
func goOn(state *os.File, holder int) int {
	signals := takeSignals(holder)
	log, _ := newLogger() // the program before has said what is wrong
	notifier, _ := machined.NewNotifier(os.Getenv)
	running, err := container.TakeOver(state, notifier, log.print)
	status := 1
	if err == nil {
		log.quiet = running.Quiet()
		status, err = watchContainer(running, signals)
	}
	return exitStatus(status, err, notifier, log)
}

// takeSignals gets those that were held back during a hand-over, too.
func takeSignals(holder int) *kernel.Signals {
	list := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGWINCH}
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1)
		list = append(list, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE)
	return kernel.TakeSignals(holder, list...)
}

func watchContainer(running *container.Running, signals *kernel.Signals) (int, error) {
	end, err := running.Watch(signals)
	running.Close()
	if again := running.Again; err == nil && end.Reboot && again.Itself {
		// A fresh program is a fresh start: nothing of the old container can be left over.
		if err = kernel.KeepSockets(again.Sockets); err == nil {
			err = syscall.Exec("/proc/self/exe", os.Args, kernel.WithVariable(again.Environment, suffixVariable, again.Suffix))
		}
	}
	return end.Status, err
}

// catchSignals takes the signals for [container.Running.Watch]. The runtime needs 0.4 ms for it, so another thread does it.
func catchSignals() <-chan *kernel.Signals {
	caught := make(chan *kernel.Signals, 1)
	go func() { caught <- takeSignals(0) }()
	return caught
}

func printSteps(plan *container.Plan) {
	for _, list := range plan.Steps() {
		for _, step := range list.Steps {
			fmt.Printf("%-10s %s\n", list.Name, step)
		}
	}
}
