-- One change of the policy at a time; those who read it do not wait.
LOCK TABLE policies IN SHARE ROW EXCLUSIVE MODE
