"""Messages between devices: who may send to whom, who listens, and who is there.

`permissions` answers what a device's lists allow, `messages` is what is sent, `switchboard` knows
who listens to which device, `presence` who is connected. `thingtank.tank.actions.messages` sends.
"""
